// Quantization of a contiguous array of n elements. threads: zero for OpenMP's choice.
#pragma once

#include <cstdint>

#include "codebook.h"

namespace truestep::cpu {

void bfloat16_encode(const float* x, u16* code, std::int64_t n, int threads);
void bfloat16_decode(const u16* code, float* x, std::int64_t n, int threads);

// Block-wise, with ceil(n / block_size) absmaxima.
void quantize(const Codebook& map, const float* x, u8* code, float* absmax, std::int64_t n,
              std::int64_t block_size, int threads);
void dequantize(const Codebook& map, const u8* code, const float* absmax, float* x, std::int64_t n,
                std::int64_t block_size, int threads);

}  // namespace truestep::cpu
