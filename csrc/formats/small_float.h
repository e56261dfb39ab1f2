// Binary floating-point formats of 4 to 16 bits by their facts: a sign bit, an exponent and a
// fraction, with subnormals. Codes and values are those of reference/small_float.py.
#pragma once

#include "host_device.h"

namespace truestep {

// One format. Codes of magnitudes below `normal` are subnormal.
struct SmallFloat {
  u32 shift;         // fraction bits of float32 beyond the format's
  u32 offset;        // what a normal number's float32 bits exceed its code's, shifted, by
  u32 least_normal;  // bits of the least normal number
  float magic;       // a power of two whose float32 spacing is that of the subnormal numbers
  float spacing;     // that spacing
  u32 normal;        // code of the least normal number
  u32 largest;       // code of the largest finite one
  u32 sign;          // bit of the sign
  u32 overflow;      // magnitude's code of what is beyond the largest one
  u32 minus_zero;    // what is or-ed into the code 0 of a negative number
  u32 nan[2];        // codes of a nan without and with a sign bit
  u32 own_nan;       // the format's nan, kNoCode without one
  // Where numbers are cut, those without and with a sign bit:
  u32 beyond[2];  // overflow, but of finite ones
  bool away[2];   // whether a magnitude goes up where anything is cut off
  u32 limit;      // and else above which part of the spacing, in units of 2^-32
};

constexpr u32 kNoCode = 0xffffffffu;
constexpr u32 kInfinity = 0x7f800000u;
constexpr u32 kHalf = 0x7fffffffu;  // what half of the spacing exceeds

// A magnitude's code with overflow, sign and nan attended to.
TRUESTEP_HD u32 small_float_finished(const SmallFloat& f, u32 bits, u32 code, u32 beyond) {
  const u32 magnitude = bits & 0x7fffffffu, negative = bits >> 31;
  code = code > f.largest ? beyond : code;
  code = magnitude >= kInfinity ? f.overflow : code;
  const u32 signed_code = code | (code != 0 ? f.sign : f.minus_zero);
  code = negative != 0 ? signed_code : code;
  return magnitude > kInfinity ? (negative != 0 ? f.nan[1] : f.nan[0]) : code;
}

// The code of the value nearest to x, of two equally near ones the even one.
TRUESTEP_HD u32 small_float_code(const SmallFloat& f, float x) {
  const u32 bits = bits_of(x), magnitude = bits & 0x7fffffffu;
  const u32 above = magnitude - f.offset;
  const u32 half = (1u << f.shift >> 1) - 1u;
  const u32 rounded = (above + half + (above >> f.shift & 1u)) >> f.shift;
  // The sum rounds once, to a multiple of the spacing, ties to the even multiple.
  const u32 counted = bits_of(float_of(magnitude) + f.magic) - bits_of(f.magic);
  const u32 code = magnitude < f.least_normal ? counted : rounded;
  return small_float_finished(f, bits, code, f.overflow);
}

// The code of the value next to x toward zero, or away from it where more than limit is cut off, or
// anything of a number of a sign that goes away from it.
TRUESTEP_HD u32 small_float_cut(const SmallFloat& f, float x, u32 limit) {
  const u32 bits = bits_of(x), magnitude = bits & 0x7fffffffu;
  const u32 field = magnitude >> 23, exponent = field != 0 ? field : 1u;
  const u32 fraction = (magnitude & 0x007fffffu) | (field != 0 ? 0x00800000u : 0u);
  const bool normal = magnitude >= f.least_normal;
  // How many bits of the fraction, the leading one included, lie below the spacing: at least 13.
  const u32 below = normal ? f.shift : (f.least_normal >> 23) + f.shift - exponent;
  const u32 counted = below < 32 ? fraction >> below : 0u;
  const u32 far_below = below < 64 ? fraction >> (below - 32) : 0u;
  const u32 cut = below <= 32 ? fraction << (32 - below) : far_below;
  const u32 negative = bits >> 31;
  // A cut of far less than the spacing may have no bit of its own.
  const bool inexact = cut != 0 || (below > 32 && magnitude != 0);
  const bool up = cut > limit || (inexact && (negative != 0 ? f.away[1] : f.away[0]));
  const u32 code = (normal ? (magnitude - f.offset) >> f.shift : counted) + (up ? 1u : 0u);
  return small_float_finished(f, bits, code, negative != 0 ? f.beyond[1] : f.beyond[0]);
}

TRUESTEP_HD float small_float_value(const SmallFloat& f, u32 code) {
  const u32 magnitude = code & (f.sign - 1u);
  const float normal = float_of((magnitude << f.shift) + f.offset);
  const float subnormal = static_cast<float>(static_cast<int>(magnitude)) * f.spacing;
  float value = magnitude < f.normal ? subnormal : normal;
  value = magnitude == f.largest + 1 ? float_of(kInfinity) : value;
  const bool is_nan = code == f.own_nan || magnitude == f.own_nan || magnitude > f.largest + 1;
  const u32 bits = is_nan ? kInfinity | 0x00400000u : bits_of(value);
  return float_of((code & f.sign) != 0 && !is_nan ? bits | 0x80000000u : bits);
}

// The two in which block formats keep scales. Functions, because device code takes no address of a
// constant of the host.
TRUESTEP_HD SmallFloat float16_format() {
  return {13,
          112u << 23,
          113u << 23,
          0x1p-1f,
          0x1p-24f,
          0x400,
          0x7bff,
          0x8000,
          0x7c00,
          0x8000,
          {0x7e00, 0x7e00},
          0x7e00,
          {0x7c00, 0x7c00},
          {false, false},
          kHalf};
}

// Overflow goes to the largest value.
TRUESTEP_HD SmallFloat e4m3_format() {
  return {20,   120u << 23, 121u << 23,   0x1p14f, 0x1p-9f,      0x08,           0x7e, 0x80,
          0x7e, 0x80,       {0x7f, 0x7f}, 0x7f,    {0x7e, 0x7e}, {false, false}, kHalf};
}

}  // namespace truestep
