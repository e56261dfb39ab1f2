#include <immintrin.h>

#include "loops.h"

namespace truestep::cpu {
namespace {

// bucket_code in three passes over a short run: the buckets' indices, eight at a time; a scalar
// load per bucket, its index taken from a register that holds four; and the comparisons, eight at a
// time. On AMD Zen 3 a gather in the second pass is slower.
struct RunLookup {
  static constexpr int kRun = 128;

  static void decode(const Codebook& map, const u8* code, float absmax, float* x, std::int64_t n) {
    BucketLookup::decode(map, code, absmax, x, n);
  }

  static void encode(const Codebook& map, const float* x, float absmax, u8* code, std::int64_t n) {
    std::int64_t i = 0;
    for (; i + kRun <= n; i += kRun) encode_run(map, x + i, absmax, code + i);
    BucketLookup::encode(map, x + i, absmax, code + i, n - i);
  }

  static inline __attribute__((always_inline)) __m256i* vector(void* p) {
    return static_cast<__m256i*>(p);
  }

  static inline __attribute__((always_inline)) void encode_run(const Codebook& map, const float* x,
                                                               float absmax, u8* code) {
    alignas(32) u32 clamped[kRun];  // quotients with the magnitude clamped to the buckets
    alignas(32) u16 index[kRun];
    alignas(32) u32 bucket[kRun];

    const __m256 scale = _mm256_set1_ps(absmax);
    const __m256i sign = _mm256_set1_epi32(static_cast<int>(0x80000000u));
    for (int i = 0; i < kRun; i += 16) {
      __m256i wide[2];
      for (int k = 0; k < 2; ++k) {
        const __m256 quotient = _mm256_div_ps(_mm256_loadu_ps(x + i + 8 * k), scale);
        const __m256i bits = _mm256_castps_si256(quotient);
        __m256i magnitude = _mm256_andnot_si256(sign, bits);
        magnitude = _mm256_max_epi32(magnitude, _mm256_set1_epi32(kLowestBucket << 16));
        magnitude = _mm256_min_epi32(magnitude, _mm256_set1_epi32(kHighestBucket << 16));
        _mm256_store_si256(vector(clamped + i + 8 * k),
                           _mm256_or_si256(magnitude, _mm256_and_si256(sign, bits)));
        const __m256i side =
            _mm256_and_si256(_mm256_srai_epi32(bits, 31), _mm256_set1_epi32(kBuckets));
        const __m256i from_lowest =
            _mm256_sub_epi32(_mm256_srli_epi32(magnitude, 16), _mm256_set1_epi32(kLowestBucket));
        wide[k] = _mm256_add_epi32(from_lowest, side);
      }
      // Packing interleaves the 128-bit halves of its operands; the permutation undoes it.
      _mm256_store_si256(vector(index + i),
                         _mm256_permute4x64_epi64(_mm256_packus_epi32(wide[0], wide[1]), 0xd8));
    }

    for (int i = 0; i < kRun; i += 4) {
      std::uint64_t four;
      __builtin_memcpy(&four, index + i, sizeof four);
      // Keeps the compiler from assembling vectors out of the four, which takes twice as long.
      asm("" : "+r"(four));
      bucket[i] = map.buckets[four & 0xffff];
      bucket[i + 1] = map.buckets[static_cast<u32>(four) >> 16];
      bucket[i + 2] = map.buckets[four >> 32 & 0xffff];
      bucket[i + 3] = map.buckets[four >> 48];
    }

    const __m256i low = _mm256_set1_epi32(0xffff);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int i = 0; i < kRun; i += 32) {
      __m256i c[4];
      for (int k = 0; k < 4; ++k) {
        const __m256i b = _mm256_load_si256(vector(bucket + i + 8 * k));
        const __m256i quotient = _mm256_load_si256(vector(clamped + i + 8 * k));
        const __m256i negative = _mm256_srai_epi32(quotient, 31);
        // -1 beyond the bucket's threshold: +1 for a positive quotient, -1 for a negative one.
        const __m256i beyond =
            _mm256_cmpgt_epi32(_mm256_and_si256(quotient, low), _mm256_srli_epi32(b, 16));
        c[k] = _mm256_add_epi32(_mm256_and_si256(b, low),
                                _mm256_sub_epi32(negative, _mm256_xor_si256(beyond, negative)));
      }
      const __m256i packed =
          _mm256_packus_epi16(_mm256_packus_epi32(c[0], c[1]), _mm256_packus_epi32(c[2], c[3]));
      _mm256_storeu_si256(vector(code + i), _mm256_permutevar8x32_epi32(packed, order));
    }
  }
};

}  // namespace

const Kernels kAvx2Kernels = kernels_with<RunLookup>("avx2", &kAvx2Rules);

}  // namespace truestep::cpu
