// What the CUDA language of cuda_on_cpu.h calls: the fibers' scheduler, seen from inside a kernel.
#pragma once

#include <vector_types.h>

#include <cstdint>

namespace cuda_on_cpu {

constexpr int kWarpSize = 32;

// What the running CUDA thread knows of itself. The scheduler rewrites it at every switch.
struct Context {
  uint3 thread_index, block_index;
  dim3 block_size, grid_size;
  int lane;
  int failed_attempts;  // at taking a lock, since the last that succeeded
  void* thread;
};
extern thread_local Context context;

// Where in the kernel's source a call stands.
struct Place {
  const char* file;
  int line;
};

enum class Reduction { kNone, kCount, kAnd, kOr };

// __syncthreads and its three reducing forms.
int block_barrier(Reduction reduction, int predicate, Place place);

enum class WarpOperation { kSync, kShuffle, kVote };

// What the lanes of one warp-wide operation brought to it.
struct Exchange {
  std::uint64_t value[kWarpSize];
  unsigned arrived;
};

// Waits until every lane of mask that is still running has brought its value. The result is valid
// until this thread next waits for anything.
const Exchange& warp_exchange(WarpOperation operation, unsigned mask, std::uint64_t value,
                              Place place);

// The lanes that reach this call before any lane of the warp can go on without them.
unsigned active_mask(Place place);

// Lets other threads run: one that takes a lock would else wait for its holder for ever.
void wait_for_lock();

// Ends the launch with a message, which the caller of the launch receives.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// __threadfence, as far as the race detector is concerned.
void memory_fence();

}  // namespace cuda_on_cpu
