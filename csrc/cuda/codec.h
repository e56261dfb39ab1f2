// float32 numbers into the codes of a storage and back, over a list of tensors: operand 0 are the
// numbers, operand 1 the codes.
#pragma once

#include "float32.h"

namespace truestep::cuda {

template <class Storage>
struct Coding {
  using Row = Tensor<2>;

  static __device__ __forceinline__ void encode(const Row* tensors, const Chunk* chunks, i64 count,
                                                const Kept* kept) {
    Storage::template prepare<1>(kept[1]);
    __syncthreads();
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
      const Row tensor = tensors[chunks[k].tensor];
      const Run run = run_of(chunks[k], tensor.size);
      float x[kItems];
      Float32::load<0>(kept[0], tensor.operand[0], run, x);
      Storage::template store<1>(kept[1], tensor.operand[1], run, x);
    }
  }

  static __device__ __forceinline__ void decode(const Row* tensors, const Chunk* chunks, i64 count,
                                                const Kept* kept) {
    Storage::template prepare<1>(kept[1]);
    __syncthreads();
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
      const Row tensor = tensors[chunks[k].tensor];
      const Run run = run_of(chunks[k], tensor.size);
      float x[kItems];
      Storage::template load<1>(kept[1], tensor.operand[1], run, x);
      Float32::store<0>(kept[0], tensor.operand[0], run, x);
    }
  }
};

}  // namespace truestep::cuda
