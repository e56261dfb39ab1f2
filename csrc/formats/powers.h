// Roots and powers that C's library has, whose last bits differ from one to the next: here one
// sequence of IEEE operations in double, the same bits on every target, rounded to float32 once.
#pragma once

#include "host_device.h"

namespace truestep {

constexpr u32 kInfiniteBits = 0x7f800000u;
constexpr u32 kNanBits = 0x7fc00000u;

// Of a function that is value for finite x > 0: itself at 0, infinity and nan; nan below zero.
TRUESTEP_HD float where_positive(float x, float value) {
  // Choices of numbers, one after another: one by "and" has kept loops from being vectorised.
  const float beside = x < 0.0f ? float_of(kNanBits) : x;
  const float finite = x < float_of(kInfiniteBits) ? value : x;
  return x > 0.0f ? finite : beside;
}

// A number with its exponent visible, x or x 2^24.
TRUESTEP_HD u32 normal_bits(float x, bool subnormal) {
  return bits_of(subnormal ? x * 0x1p24f : x);
}

// The cube root of x >= 0: an estimate of five bits from x's exponent, and two steps of Halley's
// method, which triple them (W. Kahan's, as in FreeBSD's cbrtf).
TRUESTEP_HD float cube_root_of(float x) {
  const bool subnormal = x < 0x1p-126f;
  const u32 bits = normal_bits(x, subnormal);
  double root = float_of(bits / 3 + (subnormal ? 642849266u : 709958130u));
  const double d = x;
  for (int k = 0; k < 2; ++k) {
    const double cube = root * root * root;
    root = root * (d + d + cube) / (d + cube + cube);
  }
  return where_positive(x, static_cast<float>(root));
}

// log2 of x = m 2^k with m around 1: log(m) = 2 artanh((m - 1) / (m + 1)), whose series ends where
// 2^-42 is left. Any number where x is not positive and finite.
TRUESTEP_HD double log2_of(float x) {
  const bool subnormal = x < 0x1p-126f;
  const u32 bits = normal_bits(x, subnormal);
  constexpr u32 kRootOfHalf = 0x3f3504f3u;
  const int k = static_cast<int>(bits - kRootOfHalf) >> 23;
  const double m = float_of(bits - (static_cast<u32>(k) << 23));
  const double s = (m - 1.0) / (m + 1.0), q = s * s;
  double series = 1.0 / 13.0;
  series = series * q + 1.0 / 11.0;
  series = series * q + 1.0 / 9.0;
  series = series * q + 1.0 / 7.0;
  series = series * q + 1.0 / 5.0;
  series = series * q + 1.0 / 3.0;
  series = series * q + 1.0;
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  return k - (subnormal ? 24 : 0) + kTwoOverLn2 * s * series;
}

// 2^z for z that float32's exponents reach: 2^n e^f with |f| below 0.35, whose series ends where
// 2^-40 is left.
TRUESTEP_HD float exp2_of(double z) {
  constexpr double kRounds = 0x1.8p52, kLn2 = 0.6931471805599453;
  const double whole = (z + kRounds) - kRounds;
  const double f = (z - whole) * kLn2;
  double series = 1.0 / 3628800.0;
  series = series * f + 1.0 / 362880.0;
  series = series * f + 1.0 / 40320.0;
  series = series * f + 1.0 / 5040.0;
  series = series * f + 1.0 / 720.0;
  series = series * f + 1.0 / 120.0;
  series = series * f + 1.0 / 24.0;
  series = series * f + 1.0 / 6.0;
  series = series * f + 0.5;
  series = series * f + 1.0;
  series = series * f + 1.0;
  // Two factors, since the least 2^n is no normal number.
  const int n = static_cast<int>(whole), half = n >> 1;
  const float low = float_of(static_cast<u32>(half + 127) << 23);
  const float high = float_of(static_cast<u32>(n - half + 127) << 23);
  return static_cast<float>(series * low * high);
}

// x^y for x >= 0 and 0 <= y <= 1. x^0 is 1, even of nan; x^1 is x.
TRUESTEP_HD float power_of(float x, double y) {
  const float power = where_positive(x, exp2_of(y * log2_of(x)));
  return y == 0.0 ? 1.0f : power;
}

}  // namespace truestep
