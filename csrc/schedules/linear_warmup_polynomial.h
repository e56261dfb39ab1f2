// linear_warmup_polynomial: a_t = lr t / warmup_steps for t < warmup_steps, then up to total_steps
//   x = (t - warmup_steps) / (total_steps - warmup_steps)
//   a_t = min_lr + (lr - min_lr) (1 - x)^power
#pragma once

#include "schedule.h"

namespace truestep::schedules::linear_warmup_polynomial {

constexpr const char* kHyper = "lr min_lr warmup_steps total_steps power";
struct Hyper {
  double lr, min_lr, warmup_steps, total_steps, power;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  if (t < h.warmup_steps) return h.lr * t / h.warmup_steps;
  if (t >= h.total_steps) return h.min_lr;
  const double x = (t - h.warmup_steps) / (h.total_steps - h.warmup_steps);
  return weighted(h.min_lr, h.lr, pow(1.0 - x, h.power));
}

}  // namespace truestep::schedules::linear_warmup_polynomial
