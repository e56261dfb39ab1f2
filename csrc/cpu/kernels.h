// The loops over one contiguous run of elements, one set per instruction set. Every set computes
// the same bits: they instantiate the same scalar rules, and no operation is fused or
// re-associated.
#pragma once

#include <cstdint>

#include "../rules/adamw.h"
#include "codebook.h"

namespace truestep::cpu {

// Arrays of one run of block-wise 8-bit AdamW, which begins at a block's first element.
struct AdamW8bitRun {
  const float* g;
  float* p;
  u8* m_code;
  float* m_absmax;
  u8* v_code;
  float* v_absmax;
};

struct Kernels {
  const char* name;
  void (*adamw_float32)(const AdamWConstants& c, const float* g, float* p, float* m, float* v,
                        std::int64_t n);
  // Parameters and gradients in bfloat16, moments in float32.
  void (*adamw_bfloat16)(const AdamWConstants& c, const u16* g, u16* p, float* m, float* v,
                         std::int64_t n);
  // The moments are decoded, stepped in float32, used unrounded for p, and encoded again.
  void (*adamw_8bit)(const AdamWConstants& c, const Codebook& m_map, const Codebook& v_map,
                     const AdamW8bitRun& run, std::int64_t n, std::int64_t block_size);
  void (*quantize)(const Codebook& map, const float* x, u8* code, float* absmax, std::int64_t n,
                   std::int64_t block_size);
  void (*dequantize)(const Codebook& map, const u8* code, const float* absmax, float* x,
                     std::int64_t n, std::int64_t block_size);
  // The memory traffic of adamw_float32 and of adamw_8bit (but its absmax) with the least
  // arithmetic: what a step can cost at best.
  void (*stream_float32)(const float* g, float* p, float* m, float* v, std::int64_t n);
  void (*stream_8bit)(const float* g, float* p, u8* m_code, u8* v_code, std::int64_t n);
  void (*bfloat16_encode)(const float* x, u16* code, std::int64_t n);
  void (*bfloat16_decode)(const u16* code, float* x, std::int64_t n);
};

extern const Kernels kBaselineKernels;
#if defined(TRUESTEP_X86)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace truestep::cpu
