// Runs a launch: blocks one after another on each operating-system thread. The C interface.
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>

#include "worker.h"

namespace cuda_on_cpu {
namespace {

// The limits of CUDA on every architecture since compute capability 7.5.
constexpr std::uint32_t kMaxThreads = 1024;
constexpr std::uint32_t kMaxBlockZ = 64;
constexpr std::uint32_t kMaxGridYZ = 65535;
constexpr std::uint32_t kMaxGridX = 0x7fffffff;

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
// after another, so that races between them are seen too. They take turns: the next thread starts
// when the one before has told so by a plain number, which orders nothing for the race detector.
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
        work(*worker, launch,
             [&] { return std::exchange(taken, true) ? std::int64_t{-1} : launch.blocks[i]; });
        done.store(true);
      });
      while (!done.load()) usleep(50);
    }
    for (std::thread& thread : threads) thread.join();
  }
}

void release_workers() {}

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

void release_workers() {
  const std::lock_guard<std::mutex> lock(idle_mutex);
  idle_workers.clear();
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
    return std::string(what) + " must lie in [" + std::to_string(low) + ", " +
           std::to_string(high) + "], got " + std::to_string(value);
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

// Gives the stacks of fibers back; the next launch makes them anew.
TRUESTEP_API void cuda_on_cpu_release() { cuda_on_cpu::release_workers(); }

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
