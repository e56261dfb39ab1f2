// Runs a launch: blocks one after another on each operating-system thread, and in a block one fiber
// per CUDA thread, each until it waits. The order of blocks and threads is the caller's.
#include "runtime.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "fiber.h"
#include "kernel_table.h"

#if defined(__x86_64__)
asm(R"(
.text
.globl cuda_on_cpu_switch
.hidden cuda_on_cpu_switch
.type cuda_on_cpu_switch,@function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
)");
#endif

namespace cuda_on_cpu {

thread_local Context context;

namespace {

// The limits of CUDA on every architecture since compute capability 7.5.
constexpr std::uint32_t kMaxThreads = 1024;
constexpr std::uint32_t kMaxBlockZ = 64;
constexpr std::uint32_t kMaxGridYZ = 65535;
constexpr std::uint32_t kMaxGridX = 0x7fffffff;

#if defined(TRUESTEP_TSAN) || defined(TRUESTEP_ASAN)
constexpr std::size_t kStackSize = 256 * 1024;
#else
constexpr std::size_t kStackSize = 64 * 1024;
#endif
// Stacks that all begin at the same offset of a page would compete for one set of the first cache.
constexpr std::size_t kColours = 61;
constexpr std::size_t kColourSize = 320;

constexpr std::uint32_t kPoison = 0x7f7fffffu;
constexpr std::int64_t kGuard = 256;  // bytes watched behind the dynamic shared memory
// Passes over a block in which threads only failed to take a lock.
constexpr int kMaxStalledPasses = 1000;

enum Order : std::int32_t { kAscending, kDescending, kShuffled };

enum class State { kReady, kAtBarrier, kInWarpOperation, kAtActiveMask, kAtLock, kDone };
constexpr const char* kStateNames[] = {"run",
                                       "wait at __syncthreads",
                                       "wait in a warp operation",
                                       "wait in __activemask",
                                       "try to take a lock",
                                       "have left the kernel"};

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
  // Used in turn: the race detector remembers every release of a tag, and a lane that waits must not
  // be taken to follow operations that it had no part in.
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

  ~Worker() {
    if (stacks != nullptr) munmap(stacks, stacks_size);
  }
};

bool same(Place a, Place b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

Thread& self() { return *static_cast<Thread*>(context.thread); }

void leave(Thread& thread, State state, Place place) {
  thread.state = state;
  thread.place = place;
  thread.fiber.switch_to(thread.worker->main);
}

// first: of the warp's threads.
void complete(Collective& collective, Thread* first) {
  collective.open = false;
  collective.to_leave = __builtin_popcount(collective.exchange.arrived);
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((collective.exchange.arrived >> lane & 1u) != 0) first[lane].state = State::kReady;
  }
}

// Completes what waited only for a lane that has now left the kernel.
void complete_without(Thread& thread) {
  Warp& warp = *thread.warp;
  warp.running &= ~(1u << thread.lane);
  for (Collective& collective : warp.collectives) {
    if (collective.in_use && collective.open &&
        (collective.mask & warp.running & ~collective.exchange.arrived) == 0) {
      complete(collective, &thread - thread.lane);
    }
  }
}

void thread_main() {
  // The fiber outlives a launch and may continue on another operating-system thread: only locals.
  Thread& thread = self();
  Worker& worker = *thread.worker;
  thread.fiber.arrived(worker.main);
  for (;;) {
    order_after(&worker.began);
    worker.launch->kernel.call(worker.launch->request.arguments);
    order_before(&worker.ended);
    leave(thread, State::kDone, {});
  }
}

void map_stacks(Worker& worker, std::uint32_t count) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t each = kStackSize + page;
  if (worker.stacks != nullptr) munmap(worker.stacks, worker.stacks_size);
  worker.stacks_size = each * count;
  void* memory = mmap(nullptr, worker.stacks_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    worker.stacks = nullptr;
    throw std::bad_alloc();
  }
  worker.stacks = static_cast<char*>(memory);
  // A stack that overflows meets a page without access, not its neighbour.
  for (std::uint32_t i = 0; i < count; ++i) mprotect(worker.stacks + i * each, page, PROT_NONE);
}

void prepare(Worker& worker, Launch& launch) {
  const std::uint32_t* block = launch.request.block;
  const std::uint32_t count = block[0] * block[1] * block[2];
  worker.launch = &launch;
  worker.main.adopt();
  if (count > worker.capacity) {
    worker.threads = std::make_unique<Thread[]>(count);
    map_stacks(worker, count);
    worker.capacity = count;
    worker.restart = true;
  }
  worker.count = count;
  worker.warps.resize((count + kWarpSize - 1) / kWarpSize);
  worker.order.resize(count);
  const std::size_t each = worker.stacks_size / worker.capacity;
  for (std::uint32_t i = 0; i < worker.capacity; ++i) {
    Thread& thread = worker.threads[i];
    thread.worker = &worker;
    thread.lane = static_cast<int>(i % kWarpSize);
    if (worker.restart) {
      char* end = worker.stacks + (i + 1) * each;
      const std::size_t colour = i % kColours * kColourSize;
      thread.fiber.start(end - kStackSize, kStackSize - colour, thread_main);
    }
    if (i >= count) continue;
    thread.warp = &worker.warps[i / kWarpSize];
    thread.index = {i % block[0], i / block[0] % block[1], i / block[0] / block[1]};
  }
  worker.restart = false;
}

struct Storage {
  char* begin;
  std::size_t size;
};

// This library's thread-local storage: the __shared__ variables, and context, and nothing else.
Storage shared_storage() {
  Storage found{nullptr, 0};
  // Naming context here also makes the loader allocate the storage, which it does on first use.
  found.begin = reinterpret_cast<char*>(&context);
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto* storage = static_cast<Storage*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_TLS) continue;
          auto* begin = static_cast<char*>(info->dlpi_tls_data);
          const std::size_t size = info->dlpi_phdr[i].p_memsz;
          if (begin == nullptr || storage->begin < begin || storage->begin >= begin + size) continue;
          *storage = {begin, size};
          return 1;
        }
        return 0;
      },
      &found);
  return found.size == 0 ? Storage{nullptr, 0} : found;
}

// Shared memory starts undefined, not as the block before left it.
void poison(Storage storage) {
  const Context saved = context;
  // volatile: as calls to memset these stores would be seen by the race detector.
  auto* words = reinterpret_cast<volatile std::uint32_t*>(storage.begin);
  for (std::size_t i = 0; i < storage.size / sizeof *words; ++i) words[i] = kPoison;
  context = saved;
}

void check_dynamic_shared(const Launch& launch, Launch& report_to) {
  const std::int64_t used = (launch.request.dynamic_shared + 3) / 4 * 4;
  for (int i = 0; i < kDynamicSharedCount; ++i) {
    const unsigned char* begin = kDynamicShared[i].address();
    for (std::int64_t at = used; at < used + kGuard; at += 4) {
      std::uint32_t word;
      std::memcpy(&word, begin + at, sizeof word);
      if (word == kPoison) continue;
      char text[256];
      std::snprintf(text, sizeof text,
                    "kernel %s: block (%u, %u, %u) wrote to byte %lld of its dynamic shared memory, "
                    "which has %lld",
                    launch.kernel.name, context.block_index.x, context.block_index.y,
                    context.block_index.z, static_cast<long long>(at),
                    static_cast<long long>(launch.request.dynamic_shared));
      report_to.report(text);
      return;
    }
  }
}

void report_deadlock(Worker& worker, const char* what) {
  std::string text = "kernel ";
  char line[512];
  std::snprintf(line, sizeof line, "%s, block (%u, %u, %u): %s:", worker.launch->kernel.name,
                context.block_index.x, context.block_index.y, context.block_index.z, what);
  text += line;
  constexpr int kGroups = 6;  // one line for each state and place, and no more than this
  int groups = 0;
  std::vector<bool> told(worker.count, false);
  for (std::uint32_t i = 0; i < worker.count && groups < kGroups; ++i) {
    if (told[i]) continue;
    const Thread& first = worker.threads[i];
    int alike = 0;
    for (std::uint32_t j = i; j < worker.count; ++j) {
      const Thread& other = worker.threads[j];
      const bool placed = first.place.file != nullptr && other.place.file != nullptr;
      if (other.state == first.state && (!placed || same(other.place, first.place))) {
        told[j] = true;
        ++alike;
      }
    }
    std::snprintf(line, sizeof line, " %d threads, first (%u, %u, %u), %s", alike, first.index.x,
                  first.index.y, first.index.z, kStateNames[static_cast<int>(first.state)]);
    text += groups++ == 0 ? "" : ";";
    text += line;
    if (first.place.file == nullptr) continue;
    std::snprintf(line, sizeof line, " at %s:%d", base_name(first.place.file), first.place.line);
    text += line;
    if (first.state != State::kInWarpOperation) continue;
    for (const Collective& collective : first.warp->collectives) {
      if (!collective.in_use || (collective.exchange.arrived >> first.lane & 1u) == 0) continue;
      std::snprintf(line, sizeof line, " (mask %#010x, arrived %#010x)", collective.mask,
                    collective.exchange.arrived);
      text += line;
    }
  }
  worker.launch->report(text.c_str());
}

// Lets the threads go that wait in __activemask, each with those that wait in the same place.
bool release_active(Worker& worker) {
  bool released = false;
  for (std::uint32_t i = 0; i < worker.count; ++i) {
    Thread& first = worker.threads[i];
    if (first.state != State::kAtActiveMask) continue;
    const std::uint32_t end = std::min(worker.count, i - first.lane + kWarpSize);
    unsigned mask = 0;
    for (std::uint32_t j = i; j < end; ++j) {
      const Thread& other = worker.threads[j];
      if (other.state == State::kAtActiveMask && same(other.place, first.place)) {
        mask |= 1u << other.lane;
      }
    }
    for (std::uint32_t j = i; j < end; ++j) {
      Thread& other = worker.threads[j];
      if ((mask >> other.lane & 1u) == 0) continue;
      other.active = mask;
      other.state = State::kReady;
    }
    released = true;
  }
  return released;
}

void begin_block(Worker& worker) {
  worker.alive = worker.count;
  worker.parity = 0;
  // From the start for every block: its schedule must not depend on the blocks before it.
  std::iota(worker.order.begin(), worker.order.end(), 0u);
  if (worker.launch->request.order == kDescending) {
    std::reverse(worker.order.begin(), worker.order.end());
  }
  for (Barrier& barrier : worker.barriers) barrier.arrived = 0;
  for (Warp& warp : worker.warps) {
    warp.running = 0;
    for (Collective& collective : warp.collectives) collective.in_use = false;
  }
  for (std::uint32_t i = 0; i < worker.count; ++i) {
    Thread& thread = worker.threads[i];
    thread.state = State::kReady;
    thread.place = {};
    thread.warp->running |= 1u << thread.lane;
  }
}

void resume(Worker& worker, Thread& thread) {
  context.thread_index = thread.index;
  context.lane = thread.lane;
  context.failed_attempts = 0;
  context.thread = &thread;
  worker.main.switch_to(thread.fiber);
  context.thread = nullptr;
  if (thread.state != State::kDone) return;
  --worker.alive;
  complete_without(thread);
}

void run_block(Worker& worker, std::int64_t number, Storage storage) {
  Launch& launch = *worker.launch;
  const std::uint32_t* grid = launch.request.grid;
  const auto n = static_cast<std::uint64_t>(number);
  context.block_index = {static_cast<unsigned>(n % grid[0]),
                         static_cast<unsigned>(n / grid[0] % grid[1]),
                         static_cast<unsigned>(n / grid[0] / grid[1])};
  begin_block(worker);
  poison(storage);
  Random random(launch.request.seed ^ (n + 1) * 0xd1342543de82ef95u);
  int stalled = 0;
  while (worker.alive > 0) {
    if (launch.request.order == kShuffled) random.shuffle(worker.order);
    bool ran = false, advanced = false;
    for (const std::uint32_t i : worker.order) {
      Thread& thread = worker.threads[i];
      if (thread.state == State::kAtLock) thread.state = State::kReady;
      if (thread.state != State::kReady) continue;
      resume(worker, thread);
      if (launch.failed.load(std::memory_order_relaxed)) return;
      ran = true;
      advanced = advanced || thread.state != State::kAtLock;
    }
    if (advanced || release_active(worker)) {
      stalled = 0;
    } else if (!ran) {
      return report_deadlock(worker, "deadlock");
    } else if (++stalled > kMaxStalledPasses) {
      return report_deadlock(worker, "no progress (blocks run one after another, so none may wait "
                                     "for a later one)");
    }
  }
  check_dynamic_shared(launch, launch);
}

void set_up_context(const Launch& launch) {
  const Request& r = launch.request;
  context.block_size = {r.block[0], r.block[1], r.block[2]};
  context.grid_size = {r.grid[0], r.grid[1], r.grid[2]};
}

// Runs the blocks that take() hands out until it hands out none.
template <class Take>
void work(Worker& worker, Launch& launch, Take take) {
  // Others in the process may have switched on flushing of subnormals or another rounding.
  std::fenv_t environment;
  std::fegetenv(&environment);
  std::fesetenv(FE_DFL_ENV);
  set_up_context(launch);
  const Storage storage = shared_storage();
  order_before(&worker.began);
  for (std::int64_t number; !launch.failed.load() && (number = take()) >= 0;) {
    run_block(worker, number, storage);
  }
  order_after(&worker.ended);
  worker.restart = worker.restart || launch.failed.load();
  std::fesetenv(&environment);
}

#if defined(TRUESTEP_TSAN)

// Every block of a wave has a thread, fibers and shared memory of its own, and nothing orders one
// after another, so that races between them are seen too. They take turns: the next thread starts when
// the one before has told so by a plain number, which orders nothing for the race detector.
void run(Launch& launch) {
  constexpr std::size_t kWave = 4;
  // Kept: the race detector takes long to make a fiber.
  static std::unique_ptr<Worker> workers[kWave];
  for (std::size_t begin = 0; begin < launch.blocks.size(); begin += kWave) {
    const std::size_t end = std::min(begin + kWave, launch.blocks.size());
    std::vector<std::thread> threads;
    for (std::size_t i = begin; i < end; ++i) {
      std::atomic<bool> done{false};
      auto& worker = workers[i - begin];
      if (worker == nullptr) worker = std::make_unique<Worker>();
      threads.emplace_back([&launch, &done, i, worker = worker.get()] {
        prepare(*worker, launch);
        bool taken = false;
        work(*worker, launch, [&] {
          return std::exchange(taken, true) ? std::int64_t{-1} : launch.blocks[i];
        });
        done.store(true);
      });
      while (!done.load()) usleep(50);
    }
    for (std::thread& thread : threads) thread.join();
  }
}

#else

std::mutex idle_mutex;
std::vector<std::unique_ptr<Worker>> idle_workers;

std::unique_ptr<Worker> idle_worker() {
  const std::lock_guard<std::mutex> lock(idle_mutex);
  if (idle_workers.empty()) return std::make_unique<Worker>();
  std::unique_ptr<Worker> worker = std::move(idle_workers.back());
  idle_workers.pop_back();
  return worker;
}

void run(Launch& launch) {
  const auto take = [&launch] {
    const std::size_t i = launch.next.fetch_add(1);
    return i < launch.blocks.size() ? launch.blocks[i] : std::int64_t{-1};
  };
  const std::size_t count = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::max(launch.request.threads, 1)), 1, launch.blocks.size());
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < count; ++i) {
    workers.push_back(idle_worker());
    prepare(*workers.back(), launch);
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < count; ++i) {
    threads.emplace_back([&, worker = workers[i].get()] { work(*worker, launch, take); });
  }
  work(*workers[0], launch, take);
  for (std::thread& thread : threads) thread.join();
  const std::lock_guard<std::mutex> lock(idle_mutex);
  for (auto& worker : workers) idle_workers.push_back(std::move(worker));
}

#endif

const Kernel* find(const char* name) {
  for (int i = 0; i < kKernelCount; ++i) {
    if (std::strcmp(kKernels[i]->name, name) == 0) return kKernels[i];
  }
  return nullptr;
}

// Empty when the request is within CUDA's limits.
std::string objection(const Request& r) {
  const auto text = [](const char* what, long long value, long long low, long long high) {
    return std::string(what) + " must lie in [" + std::to_string(low) + ", " + std::to_string(high) +
           "], got " + std::to_string(value);
  };
  for (int axis = 0; axis < 3; ++axis) {
    const std::uint32_t limit = axis == 0 ? kMaxGridX : kMaxGridYZ;
    if (r.grid[axis] < 1 || r.grid[axis] > limit) return text("grid size", r.grid[axis], 1, limit);
    const std::uint32_t threads = axis == 2 ? kMaxBlockZ : kMaxThreads;
    if (r.block[axis] < 1 || r.block[axis] > threads) {
      return text("block size", r.block[axis], 1, threads);
    }
  }
  const auto count = static_cast<long long>(r.block[0]) * r.block[1] * r.block[2];
  if (count > kMaxThreads) return text("threads of a block", count, 1, kMaxThreads);
  for (int i = 0; i < kDynamicSharedCount; ++i) {
    const std::int64_t capacity = kDynamicShared[i].capacity - kGuard;
    if (r.dynamic_shared < 0 || r.dynamic_shared > capacity) {
      return text("bytes of dynamic shared memory", r.dynamic_shared, 0, capacity);
    }
  }
  if (r.order < kAscending || r.order > kShuffled) return text("order", r.order, 0, kShuffled);
  return "";
}

}  // namespace

int block_barrier(Reduction reduction, int predicate, Place place) {
  Thread& thread = self();
  Worker& worker = *thread.worker;
  Barrier& barrier = worker.barriers[worker.parity];
  if (barrier.arrived == 0) {
    barrier.count = 0;
    barrier.place = place;
  } else if (!same(barrier.place, place)) {
    fail("divergent barrier: this thread waits at %s:%d, others at %s:%d", base_name(place.file),
         place.line, base_name(barrier.place.file), barrier.place.line);
  }
  barrier.count += predicate != 0;
  order_before(&barrier);
  // A thread that has left the kernel is not excused: CUDA requires the barrier of all or none.
  if (++barrier.arrived == worker.count) {
    barrier.arrived = 0;
    worker.parity ^= 1;
    for (std::uint32_t i = 0; i < worker.count; ++i) worker.threads[i].state = State::kReady;
  } else {
    leave(thread, State::kAtBarrier, place);
  }
  order_after(&barrier);
  const int all = static_cast<int>(worker.count);
  switch (reduction) {
    case Reduction::kAnd: return barrier.count == all;
    case Reduction::kOr: return barrier.count != 0;
    default: return barrier.count;
  }
}

const Exchange& warp_exchange(WarpOperation operation, unsigned mask, std::uint64_t value,
                              Place place) {
  Thread& thread = self();
  Warp& warp = *thread.warp;
  const unsigned bit = 1u << thread.lane;
  if ((mask & bit) == 0) {
    fail("%s:%d: mask %#010x does not name the calling lane %d", base_name(place.file), place.line,
         mask, thread.lane);
  }
  Collective *joined = nullptr, *unused = nullptr;
  for (Collective& collective : warp.collectives) {
    if (!collective.in_use) {
      if (unused == nullptr) unused = &collective;
    } else if (collective.open && collective.mask == mask && collective.operation == operation) {
      joined = &collective;
      break;
    }
  }
  if (joined == nullptr) {
    joined = unused;
    joined->in_use = joined->open = true;
    joined->operation = operation;
    joined->mask = mask;
    joined->place = place;
    joined->exchange.arrived = 0;
    joined->tag = &warp.tags[warp.next_tag++ % sizeof warp.tags];
  }
  joined->exchange.value[thread.lane] = value;
  joined->exchange.arrived |= bit;
  // Shuffles and votes order no memory; only __syncwarp does.
  const bool orders = operation == WarpOperation::kSync;
  if (orders) order_before(joined->tag);
  if ((mask & warp.running & ~joined->exchange.arrived) == 0) {
    complete(*joined, &thread - thread.lane);
  } else {
    leave(thread, State::kInWarpOperation, place);
  }
  if (orders) order_after(joined->tag);
  if (--joined->to_leave == 0) joined->in_use = false;
  return joined->exchange;
}

unsigned active_mask(Place place) {
  Thread& thread = self();
  leave(thread, State::kAtActiveMask, place);
  return thread.active;
}

void wait_for_lock() { leave(self(), State::kAtLock, {}); }

void memory_fence() {
  static char tag;
  order_after(&tag);
  order_before(&tag);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void fail(const char* format, ...) {
  char what[512], text[768];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (context.thread == nullptr) {
    std::fprintf(stderr, "outside a kernel: %s\n", what);
    std::abort();
  }
  Thread& thread = self();
  Launch& launch = *thread.worker->launch;
  std::snprintf(text, sizeof text, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s",
                launch.kernel.name, context.block_index.x, context.block_index.y,
                context.block_index.z, thread.index.x, thread.index.y, thread.index.z, what);
  launch.report(text);
  for (;;) thread.fiber.switch_to(thread.worker->main);
}

}  // namespace cuda_on_cpu

// The C interface, for ctypes and for other languages.
extern "C" {

#define TRUESTEP_API __attribute__((visibility("default")))

TRUESTEP_API const char* cuda_on_cpu_kernel(int index) {
  return index >= 0 && index < cuda_on_cpu::kKernelCount ? cuda_on_cpu::kKernels[index]->name
                                                         : nullptr;
}

// The number of parameters; their sizes in bytes go to sizes, which has room for capacity.
TRUESTEP_API int cuda_on_cpu_parameters(const char* name, std::int64_t* sizes, int capacity) {
  const cuda_on_cpu::Kernel* kernel = cuda_on_cpu::find(name);
  if (kernel == nullptr) return -1;
  for (int i = 0; i < std::min(capacity, kernel->parameters); ++i) {
    sizes[i] = kernel->parameter_sizes[i];
  }
  return kernel->parameters;
}

// 0 if the launch ran to its end; else the message says what happened.
TRUESTEP_API int cuda_on_cpu_launch(const cuda_on_cpu::Request* request) {
  using namespace cuda_on_cpu;
  const auto refuse = [&](const std::string& text) {
    std::snprintf(request->message, static_cast<std::size_t>(request->message_size), "%s",
                  text.c_str());
    return 1;
  };
  try {
    const Kernel* kernel = find(request->kernel);
    if (kernel == nullptr) return refuse(std::string("no kernel named ") + request->kernel);
    const std::string wrong = objection(*request);
    if (!wrong.empty()) return refuse(std::string("kernel ") + kernel->name + ": " + wrong);
    const std::uint32_t* grid = request->grid;
    Launch launch{*request, *kernel, {}};
    launch.blocks.resize(std::size_t{grid[0]} * grid[1] * grid[2]);
    std::iota(launch.blocks.begin(), launch.blocks.end(), std::int64_t{0});
    if (request->order == kDescending) std::reverse(launch.blocks.begin(), launch.blocks.end());
    if (request->order == kShuffled) Random(request->seed).shuffle(launch.blocks);
    run(launch);
    return launch.failed.load() ? 1 : 0;
  } catch (const std::exception& error) {
    return refuse(std::string("the launch could not start: ") + error.what());
  }
}

}  // extern "C"
