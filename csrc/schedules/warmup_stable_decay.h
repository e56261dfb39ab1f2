// warmup_stable_decay (Hu et al. 2024): lr t / warmup_steps for t < warmup_steps, then lr, and for
// the last decay_steps steps, with x the fraction of them,
//   a_t = min_lr + (lr - min_lr) f(x),  f(x) = 1 - x | 1 - sqrt(x) | (1 + cos(pi x)) / 2 | 1 - x^2
#pragma once

#include "schedule.h"

namespace truestep::schedules::warmup_stable_decay {

enum Shape { kLinear, kOneMinusSqrt, kCosine, kOneMinusSquare };

constexpr const char* kHyper = "lr min_lr warmup_steps decay_steps total_steps shape";
struct Hyper {
  double lr, min_lr, warmup_steps, decay_steps, total_steps, shape;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  if (t >= h.total_steps) return h.min_lr;
  if (t < h.warmup_steps) return h.lr * t / h.warmup_steps;
  const double start = h.total_steps - h.decay_steps;
  if (t <= start) return h.lr;
  const double x = (t - start) / h.decay_steps;
  const double weight = h.shape == kLinear         ? 1.0 - x
                        : h.shape == kOneMinusSqrt ? 1.0 - sqrt(x)
                        : h.shape == kCosine       ? half_cosine(x, 1.0)
                                                   : 1.0 - x * x;
  return weighted(h.min_lr, h.lr, weight);
}

}  // namespace truestep::schedules::warmup_stable_decay
