// linear_warmup_cosine: a_t = lr t / warmup_steps for t < warmup_steps, then up to total_steps
//   x = (t - warmup_steps) / (total_steps - warmup_steps)
//   a_t = min_lr + (lr - min_lr) (1 + cos(pi x)) / 2
#pragma once

#include "schedule.h"

namespace truestep::schedules::linear_warmup_cosine {

// t / warmup_steps, (t + 1) / warmup_steps, or (t + 1) / (warmup_steps + 1).
enum Warmup { kFromZero, kFromOne, kInterior };
// The cosine starts when the warm-up ends, runs from t = 0, or starts one step early.
enum Cosine { kRestarted, kRunning, kAhead };
// What comes past total_steps.
enum After { kHold, kBounce };

constexpr const char* kHyper = "lr min_lr warmup_steps total_steps warmup cosine after";
struct Hyper {
  double lr, min_lr, warmup_steps, total_steps, warmup, cosine, after;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  if (t < h.warmup_steps) {
    if (h.warmup == kFromZero) return h.lr * t / h.warmup_steps;
    if (h.warmup == kFromOne) return h.lr * (t + 1.0) / h.warmup_steps;
    return h.lr * (t + 1.0) / (h.warmup_steps + 1.0);
  }
  const double n = h.total_steps - (h.cosine == kRunning ? 0.0 : h.warmup_steps);
  if (n == 0.0) return h.min_lr;
  const double start = h.cosine == kRestarted ? h.warmup_steps
                       : h.cosine == kRunning ? 0.0
                                              : h.warmup_steps - 1.0;
  const double s = h.after == kHold ? least(t - start, n) : fmod(t - start, 2.0 * n);
  return weighted(h.min_lr, h.lr, half_cosine(s, n));
}

}  // namespace truestep::schedules::linear_warmup_cosine
