#include <immintrin.h>

#include "loops.h"

// The undefined vectors of GCC's own intrinsics (PR 105593), inlined here.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace truestep::cpu {
namespace {

// Keeps all 256 values, or all 255 thresholds, in registers: no gather and no load in the search.
struct RegisterLookup {
  // table[index] of 16 indices below 256; table is 16 registers.
  static inline __attribute__((always_inline)) __m512 pick(const __m512 (&table)[16],
                                                           __m512i index) {
    __m512 r[8];
    for (int j = 0; j < 8; ++j) {
      r[j] = _mm512_permutex2var_ps(table[2 * j], index, table[2 * j + 1]);
    }
    const __mmask16 bit5 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
    const __mmask16 bit6 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(64));
    const __mmask16 bit7 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(128));
    for (int j = 0; j < 4; ++j) r[j] = _mm512_mask_blend_ps(bit5, r[2 * j], r[2 * j + 1]);
    for (int j = 0; j < 2; ++j) r[j] = _mm512_mask_blend_ps(bit6, r[2 * j], r[2 * j + 1]);
    return _mm512_mask_blend_ps(bit7, r[0], r[1]);
  }

  static void decode(const Codebook& map, const u8* code, float absmax, float* x, std::int64_t n) {
    __m512 table[16];
    for (int j = 0; j < 16; ++j) table[j] = _mm512_load_ps(map.values + 16 * j);
    const __m512 scale = _mm512_set1_ps(absmax);
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code + i));
      const __m512 value = pick(table, _mm512_cvtepu8_epi32(bytes));
      _mm512_storeu_ps(x + i, _mm512_mul_ps(value, scale));
    }
    BucketLookup::decode(map, code + i, absmax, x + i, n - i);
  }

  // One level of the search: offset within the level becomes the offset within the next one.
  static inline __attribute__((always_inline)) __m512i descend(__m512i offset, __m512 threshold,
                                                               __m512 x) {
    offset = _mm512_add_epi32(offset, offset);
    const __mmask16 above = _mm512_cmp_ps_mask(threshold, x, _CMP_LT_OQ);
    return _mm512_mask_add_epi32(offset, above, offset, _mm512_set1_epi32(1));
  }

  // Codes of kVectors vectors, searched side by side to hide the latency of the permutations.
  template <int kVectors>
  static inline __attribute__((always_inline)) void encode_run(const Codebook& map,
                                                               const float* from, __m512 scale,
                                                               u8* code) {
    __m512 x[kVectors];
    __m512i c[kVectors];
    for (int k = 0; k < kVectors; ++k) {
      x[k] = _mm512_div_ps(_mm512_loadu_ps(from + 16 * k), scale);
    }
    const float* tree = map.tree;
    for (int k = 0; k < kVectors; ++k) {
      c[k] = descend(_mm512_setzero_si512(), _mm512_set1_ps(tree[1]), x[k]);
    }
    // Levels of 2 to 16 thresholds fit one register; what a shorter level reads beyond its end
    // belongs to the next and is never picked.
    for (int first = 2; first <= 16; first *= 2) {
      const __m512 level = _mm512_loadu_ps(tree + first);
      for (int k = 0; k < kVectors; ++k) {
        c[k] = descend(c[k], _mm512_permutexvar_ps(c[k], level), x[k]);
      }
    }
    {
      const __m512 a = _mm512_load_ps(tree + 32), b = _mm512_load_ps(tree + 48);
      for (int k = 0; k < kVectors; ++k) {
        c[k] = descend(c[k], _mm512_permutex2var_ps(a, c[k], b), x[k]);
      }
    }
    __m512 level[8];
    for (int j = 0; j < 4; ++j) level[j] = _mm512_load_ps(tree + 64 + 16 * j);
    for (int k = 0; k < kVectors; ++k) {
      const __mmask16 bit5 = _mm512_test_epi32_mask(c[k], _mm512_set1_epi32(32));
      const __m512 low = _mm512_permutex2var_ps(level[0], c[k], level[1]);
      const __m512 high = _mm512_permutex2var_ps(level[2], c[k], level[3]);
      c[k] = descend(c[k], _mm512_mask_blend_ps(bit5, low, high), x[k]);
    }
    for (int j = 0; j < 8; ++j) level[j] = _mm512_load_ps(tree + 128 + 16 * j);
    for (int k = 0; k < kVectors; ++k) {
      const __mmask16 bit5 = _mm512_test_epi32_mask(c[k], _mm512_set1_epi32(32));
      const __mmask16 bit6 = _mm512_test_epi32_mask(c[k], _mm512_set1_epi32(64));
      __m512 r[4];
      for (int j = 0; j < 4; ++j) {
        r[j] = _mm512_permutex2var_ps(level[2 * j], c[k], level[2 * j + 1]);
      }
      const __m512 low = _mm512_mask_blend_ps(bit5, r[0], r[1]);
      const __m512 high = _mm512_mask_blend_ps(bit5, r[2], r[3]);
      c[k] = descend(c[k], _mm512_mask_blend_ps(bit6, low, high), x[k]);
    }
    for (int k = 0; k < kVectors; ++k) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(code + 16 * k), _mm512_cvtepi32_epi8(c[k]));
    }
  }

  static void encode(const Codebook& map, const float* x, float absmax, u8* code, std::int64_t n) {
    const __m512 scale = _mm512_set1_ps(absmax);
    std::int64_t i = 0;
    for (; i + 128 <= n; i += 128) encode_run<8>(map, x + i, scale, code + i);
    for (; i + 64 <= n; i += 64) encode_run<4>(map, x + i, scale, code + i);
    BucketLookup::encode(map, x + i, absmax, code + i, n - i);
  }
};

}  // namespace

const Kernels kAvx512Kernels = kernels_with<RegisterLookup>("avx512");

}  // namespace truestep::cpu
