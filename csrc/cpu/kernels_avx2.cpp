#include <immintrin.h>

#include "loops.h"

namespace truestep::cpu {
namespace {

// Computes codes from the lines of Decades, eight at a time, and looks up only the few in doubt.
// Where gathers are microcode (AMD before Zen 5) this and scalar loads are faster than they are.
struct LineLookup {
  static void decode(const Codebook& map, const u8* code, float absmax, float* x, std::int64_t n) {
    BucketLookup::decode(map, code, absmax, x, n);
  }

  struct Lines {
    __m256 slope, offset;
    __m256i last, highest;
  };

  // Codes of eight quotients; doubt gets a set sign bit where a code may be wrong.
  static inline __attribute__((always_inline)) __m256i codes(const Codebook& map,
                                                             const Lines& lines, __m256 quotient,
                                                             __m256& doubt) {
    const Decades& d = map.decades;
    const __m256i bits = _mm256_castps_si256(quotient);
    const __m256i negative = _mm256_srai_epi32(bits, 31);
    const __m256i magnitude = _mm256_max_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)),
                                               _mm256_set1_epi32(static_cast<int>(d.lowest)));
    const __m256 position =
        _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(magnitude), _mm256_set1_ps(d.log_slope)),
                      _mm256_set1_ps(d.log_offset));
    __m256i decade = _mm256_cvttps_epi32(position);
    const __m256i highest = _mm256_permutevar8x32_epi32(lines.highest, decade);
    decade = _mm256_sub_epi32(decade, _mm256_cmpgt_epi32(magnitude, highest));

    const __m256 line = _mm256_add_ps(
        _mm256_mul_ps(_mm256_castsi256_ps(magnitude), _mm256_permutevar8x32_ps(lines.slope, decade)),
        _mm256_permutevar8x32_ps(lines.offset, decade));
    const __m256i floor = _mm256_cvttps_epi32(line);
    const __m256 middle = _mm256_sub_ps(_mm256_sub_ps(line, _mm256_cvtepi32_ps(floor)),
                                        _mm256_set1_ps(0.5f));
    const __m256 off_middle = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), middle);
    // At a class's limit a tie may go either way, by the sign.
    const __m256i at_limit = _mm256_cmpeq_epi32(magnitude, highest);
    doubt = _mm256_or_ps(doubt, _mm256_sub_ps(_mm256_set1_ps(0.5f - kDoubt), off_middle));
    doubt = _mm256_or_ps(doubt, _mm256_castsi256_ps(at_limit));

    __m256i code = _mm256_min_epi32(floor, _mm256_permutevar8x32_epi32(lines.last, decade));
    code = _mm256_sub_epi32(_mm256_xor_si256(code, negative), negative);
    const __m256i above = _mm256_cmpgt_epi32(bits, _mm256_set1_epi32(static_cast<int>(d.top)));
    code = _mm256_sub_epi32(code, above);
    return _mm256_add_epi32(code, _mm256_set1_epi32(static_cast<int>(map.code_of_zero)));
  }

  static void encode(const Codebook& map, const float* x, float absmax, u8* code, std::int64_t n) {
    const Decades& d = map.decades;
    const auto eight = [](const u32* p) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    };
    const Lines lines{_mm256_loadu_ps(d.slope), _mm256_loadu_ps(d.offset), eight(d.last),
                      eight(d.highest)};
    const __m256 scale = _mm256_set1_ps(absmax);
    // The packing instructions interleave 128-bit halves; this puts the groups of four in order.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    std::int64_t i = 0;
    for (; d.usable && i + 32 <= n; i += 32) {
      __m256 doubt = _mm256_setzero_ps();
      __m256i c[4];
      for (int k = 0; k < 4; ++k) {
        c[k] = codes(map, lines, _mm256_div_ps(_mm256_loadu_ps(x + i + 8 * k), scale), doubt);
      }
      if (_mm256_movemask_ps(doubt) != 0) {
        BucketLookup::encode(map, x + i, absmax, code + i, 32);
        continue;
      }
      const __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(c[0], c[1]),
                                                 _mm256_packus_epi32(c[2], c[3]));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(code + i),
                          _mm256_permutevar8x32_epi32(packed, order));
    }
    BucketLookup::encode(map, x + i, absmax, code + i, n - i);
  }
};

}  // namespace

const Kernels kAvx2Kernels = kernels_with<LineLookup>("avx2");

}  // namespace truestep::cpu
