// Powers of two from 2^-127 to 2^127 and one nan in eight bits (E8M0): as a format, and as the
// shared scale of a group. The code of 2^k is k + 127. Choices are facts, those of
// reference/quantizers/float8_e8m0fnu.py and of the scale rules of reference/format_rows.py.
#pragma once

#include "host_device.h"

namespace truestep {

constexpr u32 kPowerNan = 255;

// |x| = (1 + fraction / 2^23) 2^k becomes 2^(k - emax), or twice that where fraction > cut.
struct PowerOfTwo {
  int emax;
  u32 cut;       // 2^23: never
  u32 even;      // 1: a fraction of one half goes to the even code, cut being one half
  u32 zero;      // the code of zeros
  u32 beyond;    // of finite numbers beyond 2^127
  u32 infinite;  // of infinities
  u32 negative;  // 1: numbers below zero become nan; 0: their sign is dropped
};

TRUESTEP_HD u32 power_code(const PowerOfTwo& f, float x) {
  u32 bits = bits_of(x) & 0x7fffffffu;
  const bool below_zero = bits_of(x) >> 31 != 0 && bits != 0;
  // A subnormal number has its exponent made visible.
  const bool tiny = bits < 0x00800000u;
  const u32 scaled = bits_of(float_of(bits) * 0x1p32f);
  bits = tiny ? scaled : bits;
  int k = (tiny ? -32 : 0) - f.emax;
  const u32 fraction = bits & 0x007fffffu;
  k += static_cast<int>(bits >> 23);
  const bool tie_up = f.even != 0 && fraction == f.cut && (k & 1) != 0;
  k += fraction > f.cut || tie_up ? 1 : 0;
  u32 code = k < 0 ? 0u : k > 254 ? f.beyond : static_cast<u32>(k);
  code = bits == 0 ? f.zero : code;
  code = bits == 0x7f800000u ? f.infinite : code;
  return bits > 0x7f800000u || (below_zero && f.negative != 0) ? kPowerNan : code;
}

TRUESTEP_HD float power_value(u32 code) {
  if (code == kPowerNan) return float_of(0x7fc00000u);
  return float_of(code == 0 ? 0x00400000u : code << 23);
}

}  // namespace truestep
