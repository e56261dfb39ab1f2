// float32 to bfloat16 codes and back, element by element.
#include "../formats/bfloat16.h"
#include "plan.h"

extern "C" __global__ void bfloat16_encode_kernel(const float* x, truestep::u16* code,
                                                  truestep::cuda::i64 size) {
  const truestep::cuda::i64 stride = static_cast<truestep::cuda::i64>(gridDim.x) * blockDim.x;
  truestep::cuda::i64 i = static_cast<truestep::cuda::i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < size; i += stride) code[i] = truestep::bfloat16_from_float(x[i]);
}

extern "C" __global__ void bfloat16_decode_kernel(const truestep::u16* code, float* x,
                                                  truestep::cuda::i64 size) {
  const truestep::cuda::i64 stride = static_cast<truestep::cuda::i64>(gridDim.x) * blockDim.x;
  truestep::cuda::i64 i = static_cast<truestep::cuda::i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < size; i += stride) x[i] = truestep::bfloat16_to_float(code[i]);
}
