// The upper halves of float32 numbers, rounded to nearest.
#pragma once

#include "../formats/bfloat16.h"
#include "storage.h"

namespace truestep::cuda {

struct Bfloat16Format {
  using Code = u16;
  static __device__ __forceinline__ float decoded(u16 code) { return bfloat16_to_float(code); }
  static __device__ __forceinline__ u16 encoded(float x) { return bfloat16_from_float(x); }
};

using Bfloat16 = Numbers<Bfloat16Format>;

}  // namespace truestep::cuda
