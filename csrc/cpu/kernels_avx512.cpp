#include <immintrin.h>

#include "loops.h"

// The undefined vectors of GCC's own intrinsics (PR 105593), inlined here.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define TRUESTEP_INLINE static inline __attribute__((always_inline))

namespace truestep::cpu {
namespace {

// 1, 3, 5, ...: where the upper halves of elements twice as wide lie.
template <class T, int kCount>
struct Odd {
  alignas(64) T at[kCount];
  constexpr Odd() : at() {
    for (int k = 0; k < kCount; ++k) at[k] = static_cast<T>(2 * k + 1);
  }
};
constexpr Odd<u16, 32> kUpperWords;
constexpr Odd<u8, 64> kUpperBytes;

// Looks up bytes in registers, 64 at a time, after a guess that one comparison makes the code: no
// gather, and no search. The search of a tree of thresholds in registers takes twice as long.
struct ByteLookup {
  static constexpr int kRun = 64;

  // bytes[code] of 64 codes; upper: those from 128 on.
  TRUESTEP_INLINE __m512i pick(const u8 (&bytes)[kCodes], __m512i code, __mmask64 upper) {
    const __m512i low =
        _mm512_permutex2var_epi8(_mm512_load_si512(bytes), code, _mm512_load_si512(bytes + 64));
    const __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(bytes + 128), code,
                                                  _mm512_load_si512(bytes + 192));
    return _mm512_mask_blend_epi8(upper, low, high);
  }

  // The floats whose bytes are planes[0..3][code], for 64 codes.
  TRUESTEP_INLINE void pick_floats(const u8 (&planes)[4][kCodes], __m512i code, __m512 (&x)[4]) {
    // Unpacking works within 128 bits: deal out the codes, in fours, to where it takes them from.
    code = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), code);
    const __mmask64 upper = _mm512_movepi8_mask(code);
    __m512i b[4];
    for (int k = 0; k < 4; ++k) b[k] = pick(planes[k], code, upper);
    const __m512i a = _mm512_unpacklo_epi8(b[0], b[1]), c = _mm512_unpacklo_epi8(b[2], b[3]);
    const __m512i d = _mm512_unpackhi_epi8(b[0], b[1]), e = _mm512_unpackhi_epi8(b[2], b[3]);
    x[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(a, c));
    x[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(a, c));
    x[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(d, e));
    x[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(d, e));
  }

  static void decode(const Codebook& map, const u8* code, float absmax, float* x, std::int64_t n) {
    const __m512 scale = _mm512_set1_ps(absmax);
    std::int64_t i = 0;
    for (; i + kRun <= n; i += kRun) {
      __m512 value[4];
      pick_floats(map.value_bytes, _mm512_loadu_si512(code + i), value);
      for (int k = 0; k < 4; ++k) {
        _mm512_storeu_ps(x + i + 16 * k, _mm512_mul_ps(value[k], scale));
      }
    }
    BucketLookup::decode(map, code + i, absmax, x + i, n - i);
  }

  // Codebook's guess for 32 quotients.
  TRUESTEP_INLINE __m512i guess_of(const Guess& guess, __m512 low, __m512 high) {
    const __m512i upper = _mm512_permutex2var_epi16(
        _mm512_castps_si512(low), _mm512_load_si512(kUpperWords.at), _mm512_castps_si512(high));
    const __m512i magnitude = _mm512_and_si512(upper, _mm512_set1_epi16(0x7fff));
    // Saturates: everything below the lowest bucket is in it.
    const __m512i bucket = _mm512_subs_epu16(magnitude, _mm512_set1_epi16(kLowestBucket));
    const __m512i shift =
        _mm512_permutexvar_epi16(_mm512_srli_epi16(bucket, 7), _mm512_load_si512(guess.line_shift));
    const __m512i line = _mm512_srli_epi16(_mm512_add_epi16(bucket, shift), 7);
    const __m512i base = _mm512_permutexvar_epi16(line, _mm512_load_si512(guess.base));
    const __m512i slope = _mm512_permutexvar_epi16(line, _mm512_load_si512(guess.slope));
    // The shift leaves the mantissa.
    const __m512i rise = _mm512_mulhi_epu16(_mm512_slli_epi16(bucket, 9), slope);
    const __m512i positive = _mm512_add_epi16(base, rise);
    return _mm512_mask_subs_epu16(positive, _mm512_movepi16_mask(upper),
                                  _mm512_set1_epi16(static_cast<short>(guess.mirror)), positive);
  }

  // Codes of kRuns runs, one stage after another for all of them: a run alone waits for the latency
  // of its permutations. A division is not what it waits for: a product with the reciprocal, made
  // exact by a remainder, takes as long.
  template <int kRuns>
  TRUESTEP_INLINE void encode_runs(const Codebook& map, const float* x, __m512 scale, u8* code) {
    __m512 q[4 * kRuns];
    __m512i c[kRuns];
    for (int k = 0; k < 4 * kRuns; ++k) q[k] = _mm512_div_ps(_mm512_loadu_ps(x + 16 * k), scale);
    for (int k = 0; k < kRuns; ++k) {
      const __m512i low = guess_of(map.guess, q[4 * k], q[4 * k + 1]);
      const __m512i high = guess_of(map.guess, q[4 * k + 2], q[4 * k + 3]);
      c[k] = _mm512_permutex2var_epi8(low, _mm512_load_si512(kUpperBytes.at), high);
    }
    for (int k = 0; k < kRuns; ++k) {
      __m512 threshold[4];
      pick_floats(map.threshold_bytes, c[k], threshold);
      __mmask64 above = 0;
      for (int j = 0; j < 4; ++j) {
        const __mmask64 m = _mm512_cmp_ps_mask(threshold[j], q[4 * k + j], _CMP_LT_OQ);
        above |= m << 16 * j;
      }
      const __m512i next = _mm512_mask_add_epi8(c[k], above, c[k], _mm512_set1_epi8(1));
      _mm512_storeu_si512(code + kRun * k, next);
    }
  }

  static void encode(const Codebook& map, const float* x, float absmax, u8* code, std::int64_t n) {
    const __m512 scale = _mm512_set1_ps(absmax);
    std::int64_t i = 0;
    for (; i + 4 * kRun <= n; i += 4 * kRun) encode_runs<4>(map, x + i, scale, code + i);
    for (; i + kRun <= n; i += kRun) encode_runs<1>(map, x + i, scale, code + i);
    BucketLookup::encode(map, x + i, absmax, code + i, n - i);
  }
};

}  // namespace

const Kernels kAvx512Kernels = kernels_with<ByteLookup>("avx512", &kAvx512Rules);

}  // namespace truestep::cpu
