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
    move<Float32, 0, Storage, 1>(tensors, chunks, count, kept);
  }

  static __device__ __forceinline__ void decode(const Row* tensors, const Chunk* chunks, i64 count,
                                                const Kept* kept) {
    move<Storage, 1, Float32, 0>(tensors, chunks, count, kept);
  }

 private:
  template <class From, int from, class To, int to>
  static __device__ __forceinline__ void move(const Row* tensors, const Chunk* chunks, i64 count,
                                              const Kept* kept) {
    Storage::template prepare<1>(kept[1]);
    __syncthreads();
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
      const Row tensor = tensors[chunks[k].tensor];
      const Run run = run_of(chunks[k], tensor.size);
      float x[kItems];
      From::template load<from>(kept[from], tensor.operand[from], run, x);
      To::template store<to>(kept[to], tensor.operand[to], run, x);
    }
  }
};

}  // namespace truestep::cuda
