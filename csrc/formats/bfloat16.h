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

}  // namespace truestep
