// Block-wise quantization to the 256 ascending float32 values of a dynamic map (Dettmers et al.,
// "8-bit Optimizers via Block-wise Quantization", 2022). The values come from the caller.
//
//   absmax = max |x_i| over the block's elements (a short last block is not padded)
//   code_i = index of the value nearest to x_i / absmax, the lower one at a tie
//   decoded_i = value[code_i] * absmax
//
// The quotient is a true float32 division. It is compared with the exact midpoint of two values:
// thresholds[j] is that midpoint rounded down to float32, and no float32 lies strictly between the
// two, so (quotient > threshold) decides exactly, ties included.
//
// A block whose absmax is zero, infinite or nan stores the code of zero everywhere: it decodes to
// zero in the first case and to nan, as a whole, in the other two.
#pragma once

#include "host_device.h"

namespace truestep {

constexpr int kCodes = 256;
constexpr int kThresholds = kCodes - 1;
constexpr int kMinBlock = 64;
constexpr int kMaxBlock = 4096;

// |x| as an integer: integer order is float order on it, with nan above infinity, so that a maximum
// over a block keeps nan and does not depend on the order of the elements.
TRUESTEP_HD u32 magnitude_bits(float x) { return bits_of(x) & 0x7fffffffu; }

// False for a block that stores the code of zero everywhere.
TRUESTEP_HD bool divides(u32 absmax_bits) { return absmax_bits - 1u < 0x7f800000u - 1u; }

// The code of quotient: the number of thresholds below it.
TRUESTEP_HD u32 dynamic_code(const float* thresholds, float quotient) {
  u32 code = 0;
  for (u32 step = kCodes / 2; step != 0; step /= 2) {
    code += thresholds[code + step - 1] < quotient ? step : 0u;
  }
  return code;
}

TRUESTEP_HD float dynamic_value(const float* values, u32 code, float absmax) {
  return values[code] * absmax;
}

#if !defined(__CUDACC_RTC__)
// Fills thresholds[255] from values[256], which must ascend strictly. Both values have 24 bits and
// magnitudes within 2^29 of each other (or are zero), so the double sum and its half are exact.
static inline void dynamic_thresholds(const float* values, float* thresholds) {
  for (int j = 0; j < kThresholds; ++j) {
    const double midpoint =
        (static_cast<double>(values[j]) + static_cast<double>(values[j + 1])) / 2;
    float nearest = static_cast<float>(midpoint);
    if (static_cast<double>(nearest) > midpoint) {
      const u32 bits = bits_of(nearest);
      // The float32 below: one step towards zero for a positive number, away from it otherwise.
      nearest = float_of((bits >> 31) != 0 ? bits + 1 : bits - 1);
    }
    thresholds[j] = nearest;
  }
}
#endif

}  // namespace truestep
