// Small kernels, each about one part of the language that cuda_on_cpu must model. Each would
// compile under nvcc too.
#include <cuda_bf16.h>

#include "formats/bfloat16.h"

extern "C" __global__ void indices_kernel(int* out) {
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int threads = blockDim.x * blockDim.y * blockDim.z;
  out[block * threads + thread] = 1000 * block + thread;
}

// Reverses each block's numbers, through shared memory that is indexed across warps.
extern "C" __global__ void static_shared_kernel(float* x) {
  __shared__ float numbers[128];
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  numbers[threadIdx.x] = x[i];
  __syncthreads();
  x[i] = numbers[blockDim.x - 1 - threadIdx.x];
}

extern __shared__ double stage[];

extern "C" __global__ void dynamic_shared_kernel(double* x) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  stage[threadIdx.x] = x[i];
  __syncthreads();
  x[i] = stage[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void uninitialised_shared_kernel(float* x) {
  __shared__ float numbers[32];
  x[threadIdx.x + blockIdx.x * blockDim.x] = numbers[threadIdx.x];
  numbers[threadIdx.x] = 0.0f;
}

// Six results per thread: what the four shuffles and a double and a bfloat16 shuffle bring.
extern "C" __global__ void shuffle_kernel(double* out, int width, int by) {
  const unsigned all = 0xffffffffu;
  const int lane = threadIdx.x % 32;
  double* mine = out + 6 * threadIdx.x;
  mine[0] = __shfl_sync(all, 10 * lane, by, width);
  mine[1] = __shfl_up_sync(all, 10 * lane, by, width);
  mine[2] = __shfl_down_sync(all, 10 * lane, by, width);
  mine[3] = __shfl_xor_sync(all, 10 * lane, by, width);
  mine[4] = __shfl_xor_sync(all, 1.0 / (lane + 1), by, width);
  mine[5] = static_cast<float>(__shfl_xor_sync(all, __float2bfloat16(lane), by, width));
}

// The two halves of a warp go different ways, each with its own mask, and vote on their own.
extern "C" __global__ void masked_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x % 32;
  unsigned votes, sum = lane;
  int any, every;
  if (lane < 16) {
    votes = __ballot_sync(0x0000ffffu, lane % 2 == 0);
    any = __any_sync(0x0000ffffu, lane == 3);
    every = __all_sync(0x0000ffffu, lane < 16);
    for (int step = 8; step != 0; step /= 2) sum += __shfl_xor_sync(0x0000ffffu, sum, step);
  } else {
    for (int step = 8; step != 0; step /= 2) sum += __shfl_xor_sync(0xffff0000u, sum, step);
    votes = __ballot_sync(0xffff0000u, lane % 4 == 0);
    any = __any_sync(0xffff0000u, lane == 3);
    every = __all_sync(0xffff0000u, lane > 16);
  }
  __syncwarp();
  unsigned* mine = out + 4 * threadIdx.x;
  mine[0] = votes;
  mine[1] = any;
  mine[2] = every;
  mine[3] = sum;
}

// The lanes that go a way together find each other.
extern "C" __global__ void active_mask_kernel(unsigned* out) {
  if (threadIdx.x % 3 == 0) {
    out[threadIdx.x] = __activemask();
  } else {
    out[threadIdx.x] = __activemask();
  }
}

// A lane reads from one that has left the kernel.
extern "C" __global__ void read_from_departed_kernel(float* out) {
  if (threadIdx.x >= 16) return;
  out[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1.0f, 16);
}

extern "C" __global__ void barrier_reduction_kernel(int* out, int limit) {
  const int below = static_cast<int>(threadIdx.x) < limit;
  const int count = __syncthreads_count(below), every = __syncthreads_and(below);
  const int some = __syncthreads_or(below);
  out[3 * threadIdx.x] = count;
  out[3 * threadIdx.x + 1] = every;
  out[3 * threadIdx.x + 2] = some;
}

struct Totals {
  int sum, largest, smallest, swaps;
  unsigned bits, flipped;
  float total;
  unsigned pad;
  unsigned long long wide;
  double real;
};

extern "C" __global__ void atomics_kernel(Totals* totals) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  atomicAdd(&totals->sum, i);
  atomicMax(&totals->largest, i);
  atomicMin(&totals->smallest, -i);
  atomicOr(&totals->bits, 1u << (i % 32));
  atomicXor(&totals->flipped, static_cast<unsigned>(i));
  atomicAdd(&totals->total, 0.5f);
  atomicAdd(&totals->wide, 1ull << 32);
  atomicAdd(&totals->real, 0.25);
  for (int old = totals->swaps, seen;; old = seen) {
    seen = atomicCAS(&totals->swaps, old, old + 2);
    if (seen == old) break;
  }
}

// Every thread takes the lock in turn, so the plain sum is complete.
extern "C" __global__ void lock_kernel(int* lock, int* sum) {
  while (atomicExch(lock, 1) != 0) {
  }
  __threadfence();
  *sum = *sum + static_cast<int>(threadIdx.x);
  __threadfence();
  atomicExch(lock, 0);
}

// The last block to finish sees what all others have written.
extern "C" __global__ void last_block_kernel(int* partial, unsigned* finished, int* total) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
    __threadfence();
    last = atomicAdd(finished, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  __threadfence();
  int sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += partial[i];
  *total = sum;
}

// NVIDIA's own conversions, and ours to compare with them.
extern "C" __global__ void nvidia_bfloat16_kernel(const float* x, unsigned short* code,
                                                  long long size) {
  for (long long i = threadIdx.x; i < size; i += blockDim.x) {
    code[i] = __bfloat16_as_ushort(__float2bfloat16_rn(x[i]));
  }
}

extern "C" __global__ void own_bfloat16_kernel(const float* x, unsigned short* code,
                                               long long size) {
  for (long long i = threadIdx.x; i < size; i += blockDim.x) {
    code[i] = truestep::bfloat16_from_float(x[i]);
  }
}
