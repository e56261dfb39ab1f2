// How one launch covers a whole list of tensors: every block of threads takes chunks of one tensor
// each, and every thread kItems consecutive elements of a chunk.
//
// Built by truestep.fast.ours.cuda_plan, with the same layouts. Sizes and offsets are int64; a grid
// has room for 2^31 - 1 chunks.
#pragma once

#include "../formats/host_device.h"

namespace truestep::cuda {

using i64 = long long;
static_assert(sizeof(i64) == 8 && sizeof(void*) == 8, "plans hold 64-bit addresses and sizes");

constexpr int kItems = 8;
constexpr int kThreads = 512;
// A whole number of quantization blocks of every size, so that no block is shared by two chunks.
constexpr int kChunk = kItems * kThreads;
constexpr int kWarp = 32;
constexpr int kWarps = kThreads / kWarp;
constexpr unsigned kWholeWarp = 0xffffffffu;

// Where one operand of a tensor lies: its codes, which may be numbers, and their scales.
struct Operand {
  void* code;
  void* scale;
};

// operand: p, g, the rule's inputs, its states; of a codec the numbers, then the codes.
template <int operands>
struct Tensor {
  Operand operand[operands];
  i64 size;
  i64 row;    // of the table of hyperparameters
  i64 chunk;  // its first in the list
};

struct Chunk {
  i64 tensor;
  i64 begin;  // a multiple of kChunk
};

// A thread's elements: those from begin on, as far as count goes, which may be below 1.
struct Run {
  i64 begin, count;
};

__device__ __forceinline__ Run run_of(const Chunk& chunk, i64 size) {
  const i64 begin = chunk.begin + kItems * static_cast<i64>(threadIdx.x);
  return {begin, size - begin};
}

template <int alignment>
__device__ __forceinline__ bool aligned(const void* address) {
  return reinterpret_cast<unsigned long long>(address) % alignment == 0;
}

// 0, 1, ..., n - 1 as a parameter pack: NVRTC brings no <utility>.
template <int... k>
struct Indices {};
template <int n, int... k>
struct IndicesTo : IndicesTo<n - 1, n - 1, k...> {};
template <int... k>
struct IndicesTo<0, k...> {
  using Type = Indices<k...>;
};

}  // namespace truestep::cuda
