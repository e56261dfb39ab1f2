// AdamW over a list of tensors, moments in float32. The step reads and writes 28 bytes per float32
// element and computes little, so all that matters is to move four elements at once.
#include "../formats/bfloat16.h"
#include "plan.h"

namespace truestep::cuda {

__device__ __forceinline__ void step4(const AdamWConstants& c, const float4& g, float4& p,
                                      float4& m, float4& v) {
  adamw_element(c, g.x, p.x, m.x, v.x);
  adamw_element(c, g.y, p.y, m.y, v.y);
  adamw_element(c, g.z, p.z, m.z, v.z);
  adamw_element(c, g.w, p.w, m.w, v.w);
}

__device__ __forceinline__ float4 load4(const float* address) {
  return *reinterpret_cast<const float4*>(address);
}
__device__ __forceinline__ void store4(float* address, const float4& x) {
  *reinterpret_cast<float4*>(address) = x;
}

__device__ __forceinline__ float4 load4(const u16* address) {
  const ushort4 x = *reinterpret_cast<const ushort4*>(address);
  return {bfloat16_to_float(x.x), bfloat16_to_float(x.y), bfloat16_to_float(x.z),
          bfloat16_to_float(x.w)};
}
__device__ __forceinline__ void store4(u16* address, const float4& x) {
  *reinterpret_cast<ushort4*>(address) = {bfloat16_from_float(x.x), bfloat16_from_float(x.y),
                                          bfloat16_from_float(x.z), bfloat16_from_float(x.w)};
}

__device__ __forceinline__ float load1(float x) { return x; }
__device__ __forceinline__ float load1(u16 x) { return bfloat16_to_float(x); }
__device__ __forceinline__ void store1(float& to, float x) { to = x; }
__device__ __forceinline__ void store1(u16& to, float x) { to = bfloat16_from_float(x); }

template <class T>
__device__ __forceinline__ void step_chunk(const AdamWTensor<T>& t, const Chunk& chunk,
                                           const AdamWConstants& c) {
  const i64 end = end_of(chunk, t.size);
  i64 rest = chunk.begin;
  // A view into a larger array can start anywhere; its elements then go one by one.
  if (aligned<4 * sizeof(T)>(t.p) && aligned<4 * sizeof(T)>(t.g) && aligned<16>(t.m) &&
      aligned<16>(t.v)) {
    rest = end - end % 4;
    for (i64 i = chunk.begin + 4 * threadIdx.x; i < rest; i += 4 * blockDim.x) {
      const float4 g = load4(t.g + i);
      float4 p = load4(t.p + i), m = load4(t.m + i), v = load4(t.v + i);
      step4(c, g, p, m, v);
      store4(t.p + i, p);
      store4(t.m + i, m);
      store4(t.v + i, v);
    }
  }
  for (i64 i = rest + threadIdx.x; i < end; i += blockDim.x) {
    float p = load1(t.p[i]);
    adamw_element(c, load1(t.g[i]), p, t.m[i], t.v[i]);
    store1(t.p[i], p);
  }
}

}  // namespace truestep::cuda

extern "C" __global__ void adamw_float32_kernel(const truestep::cuda::AdamWTensor<float>* tensors,
                                                const truestep::cuda::Chunk* chunks,
                                                const truestep::AdamWConstants* constants) {
  const truestep::cuda::Chunk chunk = chunks[blockIdx.x];
  const truestep::cuda::AdamWTensor<float> tensor = tensors[chunk.tensor];
  step_chunk(tensor, chunk, constants[tensor.constants]);
}

extern "C" __global__ void adamw_bfloat16_kernel(
    const truestep::cuda::AdamWTensor<truestep::u16>* tensors, const truestep::cuda::Chunk* chunks,
    const truestep::AdamWConstants* constants) {
  const truestep::cuda::Chunk chunk = chunks[blockIdx.x];
  const truestep::cuda::AdamWTensor<truestep::u16> tensor = tensors[chunk.tensor];
  step_chunk(tensor, chunk, constants[tensor.constants]);
}
