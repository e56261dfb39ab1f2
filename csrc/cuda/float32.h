// Numbers as they are computed with.
#pragma once

#include "storage.h"

namespace truestep::cuda {

struct Float32Format {
  using Code = float;
  static __device__ __forceinline__ float decoded(float code) { return code; }
  static __device__ __forceinline__ float encoded(float x) { return x; }
};

using Float32 = Numbers<Float32Format>;

}  // namespace truestep::cuda
