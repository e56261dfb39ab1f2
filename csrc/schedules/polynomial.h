// polynomial, for t <= total_steps:
//   a_t = min_lr + (lr - min_lr) (1 - t / total_steps)^power
#pragma once

#include "schedule.h"

namespace truestep::schedules::polynomial {

// Past total_steps min_lr, or total_steps replaced by its least multiple that is not below t.
enum After { kHold, kCycle };

constexpr const char* kHyper = "lr min_lr total_steps power after";
struct Hyper {
  double lr, min_lr, total_steps, power, after;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double n = h.total_steps;
  double rest;
  if (h.after == kHold) {
    rest = 1.0 - least(t, n) / n;
  } else {
    const double whole = quotient(t, n);
    const double end = n * greatest(1.0, whole * n < t ? whole + 1.0 : whole);
    rest = (end - t) / end;
  }
  return weighted(h.min_lr, h.lr, pow(rest, h.power));
}

}  // namespace truestep::schedules::polynomial
