#include "codebook.h"

#include <cmath>

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

constexpr int kDecades = 7;

// The lines and class limits that the map should have, from its construction.
Decades ideal_decades(const float* thresholds, u32 zero) {
  Decades d{};
  u32 first = 1;
  double unit = 1e-6;  // the decade's greatest magnitude
  d.offset[0] = 0.5f;
  d.highest[0] = bits_of(thresholds[zero]);
  for (int i = 1; i <= kDecades; ++i, unit *= 10) {
    const u32 count = (zero == 0 ? 2u : 1u) << (i - 1);
    d.slope[i] = count == 1 ? 0 : static_cast<float>(count / (0.9 * unit));
    d.offset[i] = static_cast<float>(count == 1 ? first + 0.5 : first - count / 9.0);
    d.last[i] = first + count - 1;
    first += count;
    d.highest[i] = i < kDecades ? bits_of(thresholds[zero + d.last[i]]) : bits_of(1.0f);
  }
  d.top = bits_of(thresholds[kThresholds - 1]);
  // The bits of a float are nearly linear in its logarithm: half a class above each upper limit.
  const double low = d.highest[0], high = d.highest[kDecades - 1];
  d.log_slope = static_cast<float>((kDecades - 1) / (high - low));
  d.log_offset = static_cast<float>(0.5 - low * d.log_slope);
  d.lowest = d.highest[0] - 1;
  return d;
}

// Whether floor(line) gives every code wherever the line is kDoubt away from an integer. The line
// ascends, so it is enough that it is near the right integer at every threshold, and that the
// magnitude's class is right at the classes' limits.
bool decades_hold(const Codebook& codebook, const float* thresholds) {
  const Decades& d = codebook.decades;
  const u32 zero = codebook.code_of_zero;
  if (zero != 0 && zero != 127) return false;
  for (u32 k = 1; k <= zero; ++k) {
    if (codebook.values[zero - k] != -codebook.values[zero + k]) return false;
  }
  if (d.last[kDecades] + 1 != kCodes - 1 - zero) return false;
  for (u32 i = 0, k = 0; i <= kDecades; ++i) {
    // fma and product with sum differ by less than the half of kDoubt that is left over here.
    const auto line = [&](float x) { return std::fma(x, d.slope[i], d.offset[i]); };
    if (i > 0) {
      if (!(line(float_of(d.highest[i - 1])) > static_cast<float>(k) + kDoubt)) return false;
    }
    for (; k < d.last[i]; ++k) {
      const float at_threshold = line(thresholds[zero + k]);
      if (!(std::fabs(at_threshold - static_cast<float>(k + 1)) < kDoubt / 2)) return false;
    }
    ++k;
  }
  for (u32 i = 0; i < kDecades; ++i) {
    const float position = static_cast<float>(d.highest[i]) * d.log_slope + d.log_offset;
    if (!(position > static_cast<float>(i) + 0.1f && position < static_cast<float>(i) + 0.9f)) {
      return false;
    }
  }
  const float position = static_cast<float>(bits_of(1.0f)) * d.log_slope + d.log_offset;
  return position < kDecades + 0.9f &&
         static_cast<float>(d.lowest) * d.log_slope + d.log_offset > 0.1f;
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
      if (!fill_bucket(thresholds, kLowestBucket + k, sign, codebook.buckets[sign * kBuckets + k])) {
        return "values must be so far apart that no two thresholds share 7 bits of mantissa";
      }
    }
    if ((codebook.buckets[sign * kBuckets] & 0xffffu) != codebook.code_of_zero) {
      return "magnitudes up to 2^-23 must have the code of zero";
    }
  }
  codebook.decades = ideal_decades(thresholds, codebook.code_of_zero & 127u);
  codebook.decades.usable = decades_hold(codebook, thresholds);
  return nullptr;
}

}  // namespace truestep::cpu
