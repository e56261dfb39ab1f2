// Formats whose elements share a scale by groups, by their facts: a table of element values, how
// the scale follows from a group's extreme and is kept, and how elements are rounded. Values and
// codes are those of reference/block_formats.py.
//
//   scale_g = that of the extreme of group g: max |x_i|, or the first element of that magnitude
//   code_i  = the code of the element value that x_i / scale_g is rounded to
//   decoded = value[code_i] * scale_g
//
// A quotient is compared as an integer with the last float32 number below each threshold, so that
// rounding and ties are in the table, and -0 and 0 may have codes of their own.
#pragma once

#include "integers.h"
#include "power_of_two.h"
#include "random.h"
#include "small_float.h"

namespace truestep {

enum class ScaleKind : int { kAbsmax, kFloat32, kFloat16, kE8m0, kE4m3 };
enum class Normalise : int { kDivide, kReciprocal, kInverse };
enum class Power : int { kNone, kFloor, kCeil };
// How a quotient gets its code: by the table, or, rounded to the nearest and ties to even, as a
// small float or as an integer in two's complement.
enum class Elements : int { kTable, kSmallFloats, kIntegers };
// By which sum of what elements miss a group's extreme becomes 6 or 4: of sizes or of squares.
enum class FourOverSix : int { kOff, kMae, kMse };

constexpr int kElements = 256;
constexpr int kFewElements = 16;

struct BlockFormat {
  int count;     // of element values
  bool few;      // at most kFewElements
  bool signed_;  // the extreme has its sign
  bool drawn;    // rounding is stochastic
  ScaleKind scale;
  Normalise normalise;
  Power power;
  FourOverSix four_over_six;
  bool keeps_absmax;  // in the place of the scale
  bool level_divides;
  float largest;  // what the extreme becomes
  float least;    // below which no scale goes
  float level;    // by which every scale is multiplied, or divided
  u32 of_zero;    // what is stored in the place of a scale of zero
  PowerOfTwo powers;
  Elements elements;
  SmallFloat number;        // of small floats
  float steps;              // of integers: how many there are to 1,
  float low, high;          // the least and the largest,
  u32 mask;                 // and the bits of their codes
  float values[kElements];  // by code
  float ranked[kElements];  // ascending, -0 before 0
  u8 codes[kElements];      // by rank
  // keys[k] is the key of the largest number whose rank is at most k; beyond the last the largest
  // integer. Of stochastic rounding ranks are those of the values not above the quotient.
  int keys[kElements];
};

// Ascends with the number, and from -0 to 0.
TRUESTEP_HD int key_of(float x) {
  const int bits = static_cast<int>(bits_of(x));
  return bits ^ (bits >> 31 & 0x7fffffff);
}

// The number whose magnitude is the largest so far, the first of those; nan is larger than all.
TRUESTEP_HD float extreme_of(float extreme, float x) {
  return (bits_of(x) & 0x7fffffffu) > (bits_of(extreme) & 0x7fffffffu) ? x : extreme;
}

// What is stored of a group's scale, and by what its elements are divided or multiplied.
struct GroupScale {
  u32 stored;
  float factor;
  bool multiplies;
};

// The power of two beside a positive finite number.
TRUESTEP_HD float power_beside(Power power, float s) {
  const bool tiny = bits_of(s) < 0x00800000u;
  const u32 bits = bits_of(tiny ? s * 0x1p32f : s);
  const bool up = power == Power::kCeil && (bits & 0x007fffffu) != 0;
  const float found = float_of((bits & 0x7f800000u) + (up ? 0x00800000u : 0u));
  return tiny ? found * 0x1p-32f : found;
}

// By what an element value is multiplied under a stored scale.
TRUESTEP_HD float scale_value(const BlockFormat& f, u32 stored) {
  float s;
  switch (f.scale) {
    case ScaleKind::kAbsmax:
      return float_of(stored);
    case ScaleKind::kFloat32:
      s = float_of(stored);
      return f.keeps_absmax ? s / f.largest : s;
    case ScaleKind::kFloat16:
      return small_float_value(float16_format(), stored);
    case ScaleKind::kE8m0:
      return power_value(stored);
    case ScaleKind::kE4m3:
      s = small_float_value(e4m3_format(), stored);
      return f.level_divides ? s / f.level : s * f.level;
  }
  return 0.0f;
}

// A float32 scale as it is kept.
TRUESTEP_HD float kept_scale(const BlockFormat& f, float s) {
  s = s < f.least ? f.least : s;
  if (f.power != Power::kNone && s > 0.0f && bits_of(s) < kInfinity) s = power_beside(f.power, s);
  return s == 0.0f ? float_of(f.of_zero) : s;
}

// The code of an e4m3 scale under which the extreme becomes this value.
TRUESTEP_HD u32 kept_code(const BlockFormat& f, float extreme, float becomes) {
  const u32 bits = bits_of(extreme) & 0x7fffffffu;
  if (bits >= kInfinity) return e4m3_format().own_nan;
  const float y = extreme / becomes;
  const float s = f.level_divides ? y * f.level : y / f.level;
  // A finite extreme saturates, also where the quotient overflows.
  const u32 code = small_float_code(e4m3_format(), s < f.least ? f.least : s);
  return code == 0 ? f.of_zero : code;
}

// The scale of a group with this extreme. Where there is none to divide by, zeros keep their sign.
// becomes: the value of the extreme, where e4m3 scales are chosen.
TRUESTEP_HD GroupScale group_scale(const BlockFormat& f, float extreme, float becomes) {
  if (!f.signed_) extreme = float_of(bits_of(extreme) & 0x7fffffffu);
  GroupScale g = {0, 0.0f, false};
  float s = extreme / f.largest;
  switch (f.scale) {
    case ScaleKind::kAbsmax:
      s = float_of(bits_of(extreme) & 0x7fffffffu) < f.least ? f.least : extreme;
      g.stored = bits_of(s);
      break;
    case ScaleKind::kFloat32:
      s = f.keeps_absmax ? s : kept_scale(f, s);
      g.stored = bits_of(f.keeps_absmax ? extreme : s);
      break;
    case ScaleKind::kFloat16:
      g.stored = small_float_code(float16_format(), s);
      break;
    case ScaleKind::kE8m0:
      g.stored = power_code(f.powers, extreme);
      s = power_value(g.stored);
      break;
    case ScaleKind::kE4m3:
      g.stored = kept_code(f, extreme, becomes);
      s = scale_value(f, g.stored);
      break;
  }
  const bool usable = s != 0.0f && (bits_of(s) & 0x7fffffffu) < kInfinity;
  g.multiplies = !usable || f.normalise != Normalise::kDivide;
  if (usable) {
    const bool inverse = f.normalise == Normalise::kInverse && s == extreme / f.largest;
    g.factor = !g.multiplies ? s : inverse ? f.largest / extreme : 1.0f / s;
  }
  return g;
}

// The code of a quotient of elements that are integers.
TRUESTEP_HD u8 integer_code(const BlockFormat& f, float quotient) {
  const float k = nearest_integer(limited(quotient * f.steps, f.low, f.high));
  return static_cast<u8>(static_cast<u32>(static_cast<int>(k)) & f.mask);
}

// A quotient's rank: how many keys are below its own.
template <bool kFew>
TRUESTEP_HD u32 rank_of(const BlockFormat& f, float quotient) {
  const int key = key_of(quotient);
  u32 rank = 0;
  if constexpr (kFew) {
    for (int k = 0; k < kFewElements - 1; ++k) rank += f.keys[k] < key ? 1u : 0u;
  } else {
    for (u32 step = kElements / 2; step != 0; step /= 2) {
      rank += f.keys[rank + step - 1] < key ? step : 0u;
    }
  }
  return rank;
}

TRUESTEP_HD float quotient_of(const GroupScale& g, float x) {
  return g.multiplies ? x * g.factor : x / g.factor;
}

// What an element misses under a scale of this value.
TRUESTEP_HD float missed(const BlockFormat& f, const GroupScale& g, float value, float x) {
  const float miss = f.ranked[rank_of<true>(f, quotient_of(g, x))] * value - x;
  return f.four_over_six == FourOverSix::kMse ? miss * miss : float_of(bits_of(miss) & 0x7fffffffu);
}

// The rank that a random number of 32 bits decides, the value below the quotient having this one.
TRUESTEP_HD u32 drawn_rank(const BlockFormat& f, float quotient, u32 rank, u32 random) {
  if (static_cast<int>(rank) + 1 >= f.count) return rank;
  const float low = f.ranked[rank];
  const float part = (quotient - low) / (f.ranked[rank + 1] - low);
  const float draw = static_cast<float>(static_cast<int>(random >> 8)) * 0x1p-24f;
  return draw < part ? rank + 1 : rank;
}

}  // namespace truestep
