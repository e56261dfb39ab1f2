// Runs a block: one fiber per CUDA thread, each until it waits, in the order that was asked for.
// Over 300 lines: warps, barriers and the order of threads share the fibers' state.
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <string>

#include "worker.h"

namespace cuda_on_cpu {
namespace {

#if defined(TRUESTEP_TSAN) || defined(TRUESTEP_ASAN)
constexpr std::size_t kStackSize = 256 * 1024;
#else
constexpr std::size_t kStackSize = 64 * 1024;
#endif
// Stacks that all begin at the same offset of a page would compete for one set of the first cache.
constexpr std::size_t kColours = 61;
constexpr std::size_t kColourSize = 320;

constexpr std::uint32_t kPoison = 0x7f7fffffu;
// Passes over a block in which threads only failed to take a lock.
constexpr int kMaxStalledPasses = 1000;

constexpr const char* kStateNames[] = {"run",
                                       "wait at __syncthreads",
                                       "wait in a warp operation",
                                       "wait in __activemask",
                                       "try to take a lock",
                                       "have left the kernel"};

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

}  // namespace

Worker::~Worker() {
  if (stacks != nullptr) munmap(stacks, stacks_size);
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
          if (begin == nullptr || storage->begin < begin || storage->begin >= begin + size)
            continue;
          *storage = {begin, size};
          return 1;
        }
        return 0;
      },
      &found);
  return found.size == 0 ? Storage{nullptr, 0} : found;
}

namespace {

// Shared memory starts undefined, not as the block before left it.
void poison(Storage storage) {
  const Context saved = context;
  // volatile: as calls to memset these stores would be seen by the race detector.
  auto* words = reinterpret_cast<volatile std::uint32_t*>(storage.begin);
  for (std::size_t i = 0; i < storage.size / sizeof *words; ++i) words[i] = kPoison;
  context = saved;
}

void check_dynamic_shared(Launch& launch) {
  const std::int64_t used = (launch.request.dynamic_shared + 3) / 4 * 4;
  for (int i = 0; i < kDynamicSharedCount; ++i) {
    const unsigned char* begin = kDynamicShared[i].address();
    for (std::int64_t at = used; at < used + kGuard; at += 4) {
      std::uint32_t word;
      std::memcpy(&word, begin + at, sizeof word);
      if (word == kPoison) continue;
      char text[256];
      std::snprintf(
          text, sizeof text,
          "kernel %s: block (%u, %u, %u) wrote to byte %lld of its dynamic shared memory, "
          "which has %lld",
          launch.kernel.name, context.block_index.x, context.block_index.y, context.block_index.z,
          static_cast<long long>(at), static_cast<long long>(launch.request.dynamic_shared));
      launch.report(text);
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

}  // namespace

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
      return report_deadlock(worker,
                             "no progress (blocks run one after another, so none may wait "
                             "for a later one)");
    }
  }
  check_dynamic_shared(launch);
}

}  // namespace cuda_on_cpu
