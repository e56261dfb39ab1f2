#include "codebook.h"

namespace truestep::cpu {
namespace {

// Fills the bucket of magnitudes that start with `high`; false if it holds more than one threshold.
bool fill_bucket(const float* thresholds, u32 high, u32 sign, u32& bucket) {
  const auto code_at = [&](u32 low) {
    return dynamic_code(thresholds, float_of(sign << 31 | high << 16 | low));
  };
  const u32 code = code_at(0);
  u32 last = 0xffff;
  if (code_at(last) != code) {
    if (code_at(last) != (sign != 0 ? code - 1 : code + 1)) return false;
    u32 other = last;
    last = 0;
    while (other - last > 1) {
      const u32 middle = (last + other) / 2;
      (code_at(middle) == code ? last : other) = middle;
    }
  }
  bucket = last << 16 | code;
  return true;
}

}  // namespace

const char* build_codebook(const float* values, Codebook& codebook) {
  codebook.code_of_zero = kCodes;
  for (u32 code = 0; code < kCodes; ++code) {
    if (code > 0 && !(values[code - 1] < values[code])) return "values must ascend strictly";
    if (values[code] == 0) codebook.code_of_zero = code;
    codebook.values[code] = values[code];
  }
  if (!(values[0] >= -1 && values[kCodes - 1] == 1)) return "values must lie in [-1, 1] and hold 1";
  if (codebook.code_of_zero == kCodes) return "values must hold 0";

  float thresholds[kThresholds];
  dynamic_thresholds(values, thresholds);
  codebook.tree[0] = 0;
  for (u32 first = 1, step = kCodes; first < kCodes; first *= 2, step /= 2) {
    for (u32 j = 0; j < first; ++j) {
      codebook.tree[first + j] = thresholds[j * step + step / 2 - 1];
    }
  }
  for (u32 sign = 0; sign < 2; ++sign) {
    for (u32 k = 0; k < kBuckets; ++k) {
      if (!fill_bucket(thresholds, kLowestBucket + k, sign,
                       codebook.buckets[sign * kBuckets + k])) {
        return "values must be so far apart that no two thresholds share 7 bits of mantissa";
      }
    }
    if ((codebook.buckets[sign * kBuckets] & 0xffffu) != codebook.code_of_zero) {
      return "magnitudes up to 2^-23 must have the code of zero";
    }
  }
  return nullptr;
}

}  // namespace truestep::cpu
