// Integers from 0 on with two numbers to a group, from its least and its largest element: a scale
// and a zero point, or ggml's scale and minimum in float16. Codes are those of
// reference/affine_formats.py:
//
//   scale = (high - low) / top
//   zero_point = round(-low / scale);   code = round(x / scale) + zero_point
//   or code = floor((x - low) / scale + 1/2), decoded code * scale + low in float16
//
// Ties of round go to the even integer; everything is limited to [0, top].
#pragma once

#include "integers.h"
#include "small_float.h"

namespace truestep {

struct AffineFormat {
  int top;          // the largest code
  bool minimum;     // a minimum in the place of the zero point
  bool reciprocal;  // a product with 1 / scale in the place of the quotient
  bool own_range;   // 0 is not taken for one of the group's numbers
  bool sum_first;   // the zero point is added before rounding
  float least;      // below which no scale goes
  float of_zero;    // what stands in the place of a scale of zero
};

// What a group is encoded by. second: the zero point's code, or the minimum's.
struct AffineScale {
  u32 stored, second;
  float factor, zero;  // zero: the zero point or the minimum itself
  bool multiplies;
};

// nan, once it is one.
TRUESTEP_HD float least_of(float least, float x) { return x < least || x != x ? x : least; }
TRUESTEP_HD float most_of(float most, float x) { return x > most || x != x ? x : most; }

TRUESTEP_HD float over(const AffineScale& g, float x) {
  return g.multiplies ? x * g.factor : x / g.factor;
}

TRUESTEP_HD float with_zero_point(const AffineFormat& f, float quotient, float zero) {
  // What is beyond twice the largest code is limited anyway.
  if (f.sum_first) return nearest_integer(limited(quotient + zero, -512.0f, 512.0f));
  return nearest_integer(limited(quotient, -512.0f, 512.0f)) + zero;
}

TRUESTEP_HD AffineScale affine_scale(const AffineFormat& f, float low, float high) {
  AffineScale g = {0, 0, 0.0f, low, true};
  float s = (high - low) / static_cast<float>(f.top);
  s = s < f.least ? f.least : s;
  s = s == 0.0f ? f.of_zero : s;
  if (s != 0.0f && (bits_of(s) & 0x7fffffffu) < kInfinity) {
    g.multiplies = f.reciprocal;
    g.factor = f.reciprocal ? 1.0f / s : s;
  }
  if (f.minimum) {
    g.stored = small_float_code(float16_format(), s);
    g.second = small_float_code(float16_format(), low);
  } else {
    g.zero = limited(with_zero_point(f, over(g, -low), 0.0f), 0.0f, static_cast<float>(f.top));
    g.stored = bits_of(s);
    g.second = static_cast<u32>(static_cast<int>(g.zero));
  }
  return g;
}

TRUESTEP_HD u8 affine_code(const AffineFormat& f, const AffineScale& g, float x) {
  const float y = f.minimum ? over(g, x - g.zero) + 0.5f : with_zero_point(f, over(g, x), g.zero);
  return static_cast<u8>(static_cast<int>(limited(y, 0.0f, static_cast<float>(f.top))));
}

TRUESTEP_HD float affine_value(const AffineFormat& f, u8 code, float scale, float second) {
  const float k = static_cast<float>(static_cast<int>(code));
  // The product with a scale in float16 is exact.
  return f.minimum ? k * scale + second : (k - second) * scale;
}

}  // namespace truestep
