// bfloat16: the upper half of a float32. Rounds to nearest, ties to even; a nan stays a (quiet) nan
// of the same sign; overflow goes to infinity; subnormals are kept.
#pragma once

#include "host_device.h"

namespace truestep {

TRUESTEP_HD float bfloat16_to_float(u16 x) { return float_of(static_cast<u32>(x) << 16); }

TRUESTEP_HD u16 bfloat16_from_float(float x) {
  const u32 bits = bits_of(x);
  // Without the branch the carry of a nan such as 0x7fffffff would run into the sign bit.
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  const u32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<u16>((is_nan ? (bits | 0x00400000u) : rounded) >> 16);
}

// What is below the 16 bits cut off; away from zero where random < what is cut off, so that 0 never
// rounds up what is a bfloat16 number, and 2^16 nothing. overflow: the magnitude's code of
// infinities and of what is rounded to them.
TRUESTEP_HD u16 bfloat16_cut(float x, u32 random, u32 overflow) {
  const u32 bits = bits_of(x), magnitude = bits & 0x7fffffffu;
  u32 code = (magnitude >> 16) + (random < (magnitude & 0xffffu) ? 1u : 0u);
  code = code >= 0x7f80u ? overflow : code;
  code = magnitude > 0x7f800000u ? 0x7fc0u : code;
  return static_cast<u16>(code | (bits >> 16 & 0x8000u));
}

}  // namespace truestep
