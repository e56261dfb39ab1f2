// The state of a launch and of the blocks that one operating-system thread runs for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "fiber.h"
#include "kernel_table.h"
#include "runtime.h"

namespace cuda_on_cpu {

constexpr std::int64_t kGuard = 256;  // bytes watched behind the dynamic shared memory

enum Order : std::int32_t { kAscending, kDescending, kShuffled };

// A random sequence that is the same on every platform (SplitMix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[next() % i]);
  }

 private:
  std::uint64_t state_;
};

// What the caller of a launch asks for; the layout is part of the C interface.
struct Request {
  const char* kernel;
  std::uint32_t grid[3], block[3];
  std::int64_t dynamic_shared;
  std::int32_t order, threads;
  std::uint64_t seed;
  void** arguments;
  char* message;
  std::int64_t message_size;
};

// One launch, shared by its workers.
struct Launch {
  const Request& request;
  const Kernel& kernel;
  std::vector<std::int64_t> blocks;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};

  // Only the first message is kept.
  void report(const char* text) {
    if (failed.exchange(true)) return;
    std::snprintf(request.message, static_cast<std::size_t>(request.message_size), "%s", text);
  }
};

enum class State { kReady, kAtBarrier, kInWarpOperation, kAtActiveMask, kAtLock, kDone };
struct Collective {
  bool in_use, open;
  WarpOperation operation;
  unsigned mask;
  int to_leave;
  Place place;
  Exchange exchange;
  char* tag;  // what __syncwarp orders by
};

struct Warp {
  unsigned running;  // lanes that exist and have not left the kernel
  // Every lane can be in one collective that is open and in one that it has yet to leave.
  Collective collectives[2 * kWarpSize];
#if defined(TRUESTEP_TSAN)
  // Used in turn: the race detector remembers every release of a tag, and a lane that waits must
  // not be taken to follow operations that it had no part in.
  char tags[4096];
#else
  char tags[1];
#endif
  unsigned next_tag;
};

struct Worker;

struct Thread {
  Worker* worker;
  Warp* warp;
  uint3 index;
  int lane;
  State state;
  Place place;
  unsigned active;
  Fiber fiber;
};

struct Barrier {
  std::uint32_t arrived;
  int count;
  Place place;
};

// The storage of one operating-system thread's blocks.
struct Worker {
  Launch* launch = nullptr;
  std::unique_ptr<Thread[]> threads;
  std::vector<Warp> warps;
  std::vector<std::uint32_t> order;
  std::uint32_t capacity = 0, count = 0, alive = 0;
  bool restart = true;  // a launch that failed leaves fibers in the middle of a kernel
  char* stacks = nullptr;
  std::size_t stacks_size = 0;
  Fiber main;
  // Two, used in turn: a thread still leaving one must not be taken to follow the next.
  Barrier barriers[2] = {};
  int parity = 0;
  char began, ended;  // tags of the launch's two ends

  ~Worker();
};

inline Thread& self() { return *static_cast<Thread*>(context.thread); }

bool same(Place a, Place b);
const char* base_name(const char* path);

// Lets others run until the thread is ready again.
void leave(Thread& thread, State state, Place place);

// Wakes the lanes of a collective; first is the first thread of their warp.
void complete(Collective& collective, Thread* first);

// This library's thread-local storage: the __shared__ variables, and context, and nothing else.
struct Storage {
  char* begin;
  std::size_t size;
};
Storage shared_storage();

// Gives a worker the fibers that the launch needs. On the thread that is to run them, or before.
void prepare(Worker& worker, Launch& launch);

void run_block(Worker& worker, std::int64_t number, Storage storage);

}  // namespace cuda_on_cpu
