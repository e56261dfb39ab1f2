// chebyshev (Agarwal, Goel & Zhang 2021), m = min_curvature, M = max_curvature, T = total_steps:
//   a_t = lr / ((M + m) / 2 - (M - m) / 2 cos(pi (s + 1/2) / T)),  s = sigma_T(t)
//   sigma_2T(2 i) = sigma_T(i),  sigma_2T(2 i + 1) = 2 T - 1 - sigma_T(i),  sigma_1(0) = 0
#pragma once

#include "schedule.h"

namespace truestep::schedules::chebyshev {

// What comes past the last step: the first again, or the last one.
enum After { kRepeat, kHold };

constexpr const char* kHyper = "lr min_curvature max_curvature total_steps after";
struct Hyper {
  double lr, min_curvature, max_curvature, total_steps, after;
};

// The place of step i in the fractal order of n, a power of two: a binary digit of i at a time.
TRUESTEP_HD double place(double i, double n) {
  double s = 0.0;
  for (double m = 2.0; m <= n; m *= 2.0) {
    if (fmod(quotient(i, n / m), 2.0) == 1.0) s = m - 1.0 - s;
  }
  return s;
}

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double n = h.total_steps;
  const double i = h.after == kHold ? least(t, n - 1.0) : fmod(t, n);
  const double middle = (h.max_curvature + h.min_curvature) / 2.0;
  const double radius = (h.max_curvature - h.min_curvature) / 2.0;
  return h.lr / (middle - radius * cos(kPi * (place(i, n) + 0.5) / n));
}

}  // namespace truestep::schedules::chebyshev
