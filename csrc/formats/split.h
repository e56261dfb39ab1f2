// Numbers in two parts: a bfloat16 and a rest of 8 or 16 bits, as reference/splits.py defines them.
#pragma once

#include "bfloat16.h"
#include "integers.h"

namespace truestep {

enum class Rest { kBits, kFraction, kSigned };

// A nan becomes the quiet nan: a carry into it would change the sign.
TRUESTEP_HD u32 split_magnitude(float x) {
  const u32 magnitude = bits_of(x) & 0x7fffffffu;
  return magnitude > 0x7f800000u ? 0x7fc00000u : magnitude;
}

// Half the spacing of bfloat16 at a number, that of the largest at what is not finite.
TRUESTEP_HD float half_spacing(u16 high) {
  const u32 field = (high & 0x7f80u) >> 7;
  const u32 finite = field == 0 ? 1u : field == 255 ? 254u : field;
  return float_of(finite << 23) * 0x1p-8f;
}

template <Rest kRest, int kBits>
struct Split {
  static constexpr int kCut = 16 - kBits;
  static constexpr float kLargest = static_cast<float>((1 << (kBits - 1)) - 1);

  // Both parts' codes; the rest as a signed or an unsigned integer of kBits.
  TRUESTEP_HD void encode(float x, u16& high, int& rest) {
    if constexpr (kRest == Rest::kFraction) {
      high = bfloat16_from_float(x);
      float y = (x - bfloat16_to_float(high)) / half_spacing(high);
      y = y > 1.0f ? 1.0f : y < -1.0f ? -1.0f : y == y ? y : 0.0f;
      const float scaled = y * kLargest;
      const int away = static_cast<int>((scaled < 0.0f ? -scaled : scaled) + 0.5f);
      rest = scaled < 0.0f ? -away : away;
    } else {
      const u32 magnitude = split_magnitude(x);
      constexpr u32 kHalf = (1u << kCut >> 1);
      const u32 odd = magnitude >> kCut & 1u;
      const u32 wide = kCut == 0 ? magnitude : (magnitude + kHalf - 1u + odd) >> kCut;
      constexpr u32 kCarry = kRest == Rest::kSigned ? 1u << (kBits - 1) : 0u;
      const u32 code = (wide + kCarry) >> kBits;
      high = static_cast<u16>(code | (bits_of(x) >> 16 & 0x8000u));
      rest = static_cast<int>(wide - (code << kBits));
    }
  }

  TRUESTEP_HD float decode(u16 high, int rest) {
    if constexpr (kRest == Rest::kFraction) {
      return bfloat16_to_float(high) + static_cast<float>(rest) / kLargest * half_spacing(high);
    } else {
      const u32 wide = ((high & 0x7fffu) << kBits) + static_cast<u32>(rest);
      return float_of(wide << kCut | (high & 0x8000u) << 16);
    }
  }
};

}  // namespace truestep
