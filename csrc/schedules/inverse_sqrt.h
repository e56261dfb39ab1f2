// inverse_sqrt (Vaswani et al. 2017, scaled to a peak of lr), s = t or t + 1:
//   a_t = lr s / warmup_steps for s < warmup_steps, then lr sqrt(warmup_steps / s)
#pragma once

#include "schedule.h"

namespace truestep::schedules::inverse_sqrt {

// What s is at the first step.
enum Count { kFromZero, kFromOne };

constexpr const char* kHyper = "lr warmup_steps count";
struct Hyper {
  double lr, warmup_steps, count;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double s = h.count == kFromOne ? t + 1.0 : t;
  if (s < h.warmup_steps) return h.lr * s / h.warmup_steps;
  return h.lr * sqrt(h.warmup_steps / s);
}

}  // namespace truestep::schedules::inverse_sqrt
