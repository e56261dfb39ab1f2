// AdamW over a list of float32 tensors whose moments are stored as block-wise dynamic 8-bit codes:
// decoded, stepped in float32, used unrounded for the parameter, and encoded by their new absmax.
#include "dynamic_blocks.h"

extern "C" __global__ void __launch_bounds__(truestep::cuda::kThreads)
    adamw_8bit_kernel(const truestep::cuda::AdamW8bitTensor* tensors,
                      const truestep::cuda::Chunk* chunks, truestep::cuda::i64 count,
                      const truestep::AdamWConstants* constants, const truestep::cuda::Map* map,
                      truestep::u32 m_code_of_zero, truestep::u32 v_code_of_zero, int block_size) {
  using namespace truestep;
  using namespace truestep::cuda;
  __shared__ Map maps[2];  // the signed one of m, the unsigned one of v
  __shared__ u32 warp_max[kWarps];
  const int shift = __ffs(block_size) - 1;
  load_maps(map, maps);
  __syncthreads();
  for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
    const Chunk chunk = chunks[k];
    const AdamW8bitTensor tensor = tensors[chunk.tensor];
    const AdamWConstants c = constants[tensor.constants];
    const i64 i = chunk.begin + kItems * threadIdx.x, block = i >> shift;
    const i64 left = tensor.size - i;
    float p[kItems], g[kItems], m[kItems], v[kItems];
    load_items(tensor.p + i, left, p);
    load_items(tensor.g + i, left, g);
    load_decoded(tensor.m_code + i, tensor.m_absmax + block, maps[0], left, m);
    load_decoded(tensor.v_code + i, tensor.v_absmax + block, maps[1], left, v);
#pragma unroll
    for (int j = 0; j < kItems; ++j) adamw_element(c, g[j], p[j], m[j], v[j]);
    store_items(tensor.p + i, left, p);
    // The maximum also waits until every thread has read the absmax that is overwritten below.
    const u32 m_absmax = team_max(magnitude_of(m), block_size, warp_max);
    const u32 v_absmax = team_max(magnitude_of(v), block_size, warp_max);
    const bool first = i == block << shift;
    store_encoded(m, m_absmax, maps[0], m_code_of_zero, left, first, tensor.m_code + i,
                  tensor.m_absmax + block);
    store_encoded(v, v_absmax, maps[1], v_code_of_zero, left, first, tensor.v_code + i,
                  tensor.v_absmax + block);
  }
}
