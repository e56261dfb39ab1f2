// What rules and formats need from their compiler: g++, clang, nvcc, or NVRTC, which brings no
// standard headers. Compile with contraction off (-ffp-contract=off, NVRTC -fmad=false): every
// operation written here is one IEEE operation, and all widths and devices agree bit for bit.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define TRUESTEP_HD static __host__ __device__ __forceinline__
#else
// Internal linkage and forced inlining: a shared copy of an inline function, compiled for AVX-512,
// could otherwise be the one that the linker keeps for the baseline.
#define TRUESTEP_HD static inline __attribute__((always_inline))
#endif

namespace truestep {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(float) == 4, "unexpected sizes");

TRUESTEP_HD u32 bits_of(float x) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(x);
#else
  u32 bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
#endif
}

TRUESTEP_HD float float_of(u32 bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
#endif
}

// Correctly rounded on every target: NVRTC's default is -prec-sqrt=true.
TRUESTEP_HD float root_of(float x) {
#if defined(__CUDA_ARCH__)
  return sqrtf(x);
#else
  return __builtin_sqrtf(x);
#endif
}

}  // namespace truestep
