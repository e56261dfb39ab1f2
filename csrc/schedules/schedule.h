// What the headers of schedules have in common. A schedule is one header, csrc/schedules/<name>.h,
// with in the namespace truestep::schedules::<name>:
//
//   kHyper       the names of the hyperparameters, in the order of struct Hyper's doubles; a choice
//                is its place among the field's choices; "name[]", the last one, is a list: Hyper
//                has its length, and its numbers follow Hyper in memory
//   value(h, t)  the learning rate of the step after t steps made, in double; nan where the
//                schedule has no value
//
// t is an integer in a double. All double operations are those of the reference, in its order.
#pragma once

#include "../formats/host_device.h"

#if !defined(__CUDACC_RTC__)
#include <math.h>
#endif

namespace truestep::schedules {

constexpr double kPi = 3.14159265358979323846;

// (1 - weight) low + weight high, exact at both ends.
TRUESTEP_HD double weighted(double low, double high, double weight) {
  return (1.0 - weight) * low + weight * high;
}

// 1 at x = 0, 0 at x = n, along half a cosine.
TRUESTEP_HD double half_cosine(double x, double n) { return (1.0 + cos(kPi * x / n)) / 2.0; }

// The whole part of t / n, exactly: of integers the quotient of a multiple is one.
TRUESTEP_HD double quotient(double t, double n) { return (t - fmod(t, n)) / n; }

// nan, in the place of a value that there is not.
TRUESTEP_HD double no_value() { return fmod(1.0, 0.0); }

TRUESTEP_HD double least(double x, double y) { return y < x ? y : x; }

TRUESTEP_HD double greatest(double x, double y) { return y > x ? y : x; }

}  // namespace truestep::schedules
