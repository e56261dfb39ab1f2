// How one launch covers a whole list of tensors: every block takes one chunk of one tensor.
//
// Built by truestep.fast.ours.cuda_plan, with the same layouts. Sizes and offsets are int64; a grid
// has room for 2^31 - 1 chunks.
#pragma once

#include "../rules/adamw.h"

namespace truestep::cuda {

using i64 = long long;
static_assert(sizeof(i64) == 8 && sizeof(void*) == 8, "plans hold 64-bit addresses and sizes");

// A whole number of quantization blocks of every size, so that no block is shared by two chunks.
constexpr int kChunk = 4096;

struct Chunk {
  i64 tensor;
  i64 begin;  // a multiple of kChunk
};

// Moments in float32, parameters and gradients in T.
template <class T>
struct AdamWTensor {
  T* p;
  const T* g;
  float* m;
  float* v;
  i64 size;
  i64 constants;  // the row of the table of constants
};

struct AdamW8bitTensor {
  float* p;
  const float* g;
  u8* m_code;
  float* m_absmax;
  u8* v_code;
  float* v_absmax;
  i64 size;
  i64 constants;
};

struct QuantizedTensor {
  float* x;
  u8* code;
  float* absmax;
  i64 size;
};

// One past the last element of a chunk.
__device__ __forceinline__ i64 end_of(const Chunk& chunk, i64 size) {
  return size - chunk.begin < kChunk ? size : chunk.begin + kChunk;
}

template <int alignment>
__device__ __forceinline__ bool aligned(const void* address) {
  return reinterpret_cast<unsigned long long>(address) % alignment == 0;
}

}  // namespace truestep::cuda
