// cosine (Loshchilov & Hutter 2017), for t <= total_steps:
//   a_t = min_lr + (lr - min_lr) (1 + cos(pi t / total_steps)) / 2
#pragma once

#include "schedule.h"

namespace truestep::schedules::cosine {

// What comes past total_steps.
enum After { kHold, kBounce };

constexpr const char* kHyper = "lr min_lr total_steps after";
struct Hyper {
  double lr, min_lr, total_steps, after;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double n = h.total_steps;
  const double s = h.after == kHold ? least(t, n) : fmod(t, 2.0 * n);
  return weighted(h.min_lr, h.lr, half_cosine(s, n));
}

}  // namespace truestep::schedules::cosine
