// Block-wise dynamic 8-bit quantization of a list of tensors, and back. A block of threads takes
// several chunks, so that it loads the map once.
#include "dynamic_blocks.h"

extern "C" __global__ void __launch_bounds__(truestep::cuda::kThreads)
    dynamic_8bit_quantize_kernel(const truestep::cuda::QuantizedTensor* tensors,
                                 const truestep::cuda::Chunk* chunks, truestep::cuda::i64 count,
                                 const truestep::cuda::Map* map, truestep::u32 code_of_zero,
                                 int block_size) {
  using namespace truestep;
  using namespace truestep::cuda;
  __shared__ Map maps[1];
  __shared__ u32 warp_max[kWarps];
  const int shift = __ffs(block_size) - 1;
  load_maps(map, maps);
  __syncthreads();
  for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
    const Chunk chunk = chunks[k];
    const QuantizedTensor tensor = tensors[chunk.tensor];
    const i64 i = chunk.begin + kItems * threadIdx.x;
    const i64 left = tensor.size - i, block = i >> shift;
    float x[kItems];
    load_items(tensor.x + i, left, x);
    const u32 absmax = team_max(magnitude_of(x), block_size, warp_max);
    store_encoded(x, absmax, maps[0], code_of_zero, left, i == block << shift, tensor.code + i,
                  tensor.absmax + block);
  }
}

extern "C" __global__ void __launch_bounds__(truestep::cuda::kThreads)
    dynamic_8bit_dequantize_kernel(const truestep::cuda::QuantizedTensor* tensors,
                                   const truestep::cuda::Chunk* chunks, truestep::cuda::i64 count,
                                   const truestep::cuda::Map* map, int block_size) {
  using namespace truestep::cuda;
  __shared__ Map maps[1];
  const int shift = __ffs(block_size) - 1;
  load_maps(map, maps);
  __syncthreads();
  for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
    const Chunk chunk = chunks[k];
    const QuantizedTensor tensor = tensors[chunk.tensor];
    const i64 i = chunk.begin + kItems * threadIdx.x;
    const i64 left = tensor.size - i, block = i >> shift;
    float x[kItems];
    load_decoded(tensor.code + i, tensor.absmax + block, maps[0], left, x);
    store_items(tensor.x + i, left, x);
  }
}
