// What the headers of rules have in common. A rule is one header, csrc/rules/<name>.h:
//
// clang-format off
//   template <choices of its dialect> struct Rule : Elementwise {
//     kHyper    the names of the hyperparameters that it reads, in the order of struct Hyper's
//               doubles (a switch is 0 or 1)
//     kStates   the names of the state tensors, in the order in which element() takes them
//     kInputs   what it takes besides the gradient, and what it only reads of the state, as
//               further tensors after the gradient
//     kNumbers  the 0-d numbers of the state and of the inputs, doubles that begin() reads and
//               finish() reads and writes; "r[2]" is the third of a vector r that belongs to the
//               whole tensor, 0 where that is shorter
//     constants(hyper, t)
//               the float32 constants of step t >= 1, each rounded once from double
//     element(constants, g, p, inputs..., states...)
//               one element, float32 operation by operation
//   };
// clang-format on
//
// Of a layer-wise rule (kSums > 0) sums() gives every element's addends, from what the tensors hold
// before the step; they are added in double, in an order that follows from the size alone. finish()
// then makes the tensor's own constants of them. It runs once a tensor and step, also of a rule
// that has numbers and no sums. begin() runs before sums() where that needs constants made of the
// numbers (kBegins); such a rule has a finish() too.
//
// Of a rule with several tensors the CPU may go through memory faster in one loop after another
// over a run that stays in the first-level cache: with kLines > 0 line<k>() are element()'s lines
// apart.
//
// TRUESTEP_KERNELS lists what is compiled: for each dialect, or for hyperparameters of which less
// is to be done ("momentum=0"), the struct. The first that fits serves.
#pragma once

#include "../formats/host_device.h"

#if !defined(__CUDACC_RTC__)
#include <math.h>
#endif

namespace truestep {

// The parts that a rule that works element by element does without.
struct Elementwise {
  static constexpr const char* kInputs = "";
  static constexpr const char* kNumbers = "";
  static constexpr int kSums = 0;
  static constexpr bool kBegins = false;
  static constexpr bool kFinishes = false;
  static constexpr int kLines = 0;
};

// How many names a list has, which blanks part.
TRUESTEP_HD constexpr int names_in(const char* text) {
  int count = 0;
  for (bool before = true; *text != 0; ++text) {
    const bool blank = *text == ' ';
    count += before && !blank ? 1 : 0;
    before = blank;
  }
  return count;
}

TRUESTEP_HD float rounded(double x) { return static_cast<float>(x); }

TRUESTEP_HD bool is_nan(float x) { return x != x; }

TRUESTEP_HD bool is_finite(float x) { return x - x == 0.0f; }

// The larger of the two; nan where one of them is. Two choices of a number, since one by "or" has
// kept loops from being vectorised.
TRUESTEP_HD float larger(float x, float y) {
  const float most = x > y ? x : y;
  return is_nan(x) ? x : most;
}

TRUESTEP_HD float smaller(float x, float y) {
  const float least = x < y ? x : y;
  return is_nan(x) ? x : least;
}

// x within [-limit, limit]; nan as it is.
TRUESTEP_HD float clipped(float x, float limit) {
  const float above = x < -limit ? -limit : x;
  return above > limit ? limit : above;
}

// -1, 0 or 1; of nan itself.
TRUESTEP_HD float sign_of(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

TRUESTEP_HD float magnitude(float x) { return float_of(bits_of(x) & 0x7fffffffu); }

// The product of two float32 numbers, which double holds exactly.
TRUESTEP_HD double exact_product(float x, float y) {
  return static_cast<double>(x) * static_cast<double>(y);
}

}  // namespace truestep
