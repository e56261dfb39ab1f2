#include <immintrin.h>

#include "loops.h"

namespace truestep::cpu {
namespace {

// Gathers from the 256 values and from the buckets, eight elements at a time.
struct GatherLookup {
  static void decode(const Codebook& map, const u8* code, float absmax, float* x, std::int64_t n) {
    const __m256 scale = _mm256_set1_ps(absmax);
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(code + i));
      const __m256 value = _mm256_i32gather_ps(map.values, _mm256_cvtepu8_epi32(bytes), 4);
      _mm256_storeu_ps(x + i, _mm256_mul_ps(value, scale));
    }
    BucketLookup::decode(map, code + i, absmax, x + i, n - i);
  }

  // bucket_code of eight quotients.
  static __m256i codes(const Codebook& map, __m256 quotient) {
    const __m256i bits = _mm256_castps_si256(quotient);
    const __m256i negative = _mm256_srai_epi32(bits, 31);
    __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    magnitude = _mm256_max_epi32(magnitude, _mm256_set1_epi32(kLowestBucket << 16));
    magnitude = _mm256_min_epi32(magnitude, _mm256_set1_epi32(kHighestBucket << 16));
    const __m256i offset = _mm256_sub_epi32(
        _mm256_and_si256(negative, _mm256_set1_epi32(kBuckets)), _mm256_set1_epi32(kLowestBucket));
    const __m256i index = _mm256_add_epi32(_mm256_srli_epi32(magnitude, 16), offset);
    const __m256i bucket =
        _mm256_i32gather_epi32(reinterpret_cast<const int*>(map.buckets), index, 4);
    const __m256i low = _mm256_set1_epi32(0xffff);
    // -1 beyond the bucket's threshold, which counts +1 for a positive quotient, -1 for a negative.
    const __m256i beyond =
        _mm256_cmpgt_epi32(_mm256_and_si256(magnitude, low), _mm256_srli_epi32(bucket, 16));
    const __m256i change = _mm256_sub_epi32(negative, _mm256_xor_si256(beyond, negative));
    return _mm256_add_epi32(_mm256_and_si256(bucket, low), change);
  }

  static void encode(const Codebook& map, const float* x, float absmax, u8* code, std::int64_t n) {
    const __m256 scale = _mm256_set1_ps(absmax);
    // The packing instructions interleave 128-bit halves; this puts the groups of four in order.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    std::int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
      __m256i c[4];
      for (int k = 0; k < 4; ++k) {
        c[k] = codes(map, _mm256_div_ps(_mm256_loadu_ps(x + i + 8 * k), scale));
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

const Kernels kAvx2Kernels = kernels_with<GatherLookup>("avx2");

}  // namespace truestep::cpu
