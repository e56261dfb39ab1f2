// linear_warmup_exponential: a_t = lr t / warmup_steps for t < warmup_steps, then
//   a_t = max(lr gamma^((t - warmup_steps) / step_size), min_lr)
#pragma once

#include "schedule.h"

namespace truestep::schedules::linear_warmup_exponential {

// The exponent, or its whole part.
enum Steps { kContinuous, kStaircase };

constexpr const char* kHyper = "lr min_lr gamma step_size warmup_steps steps";
struct Hyper {
  double lr, min_lr, gamma, step_size, warmup_steps, steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  if (t < h.warmup_steps) return h.lr * t / h.warmup_steps;
  const double s = t - h.warmup_steps;
  const double exponent = h.steps == kContinuous ? s / h.step_size : quotient(s, h.step_size);
  return greatest(h.lr * pow(h.gamma, exponent), h.min_lr);
}

}  // namespace truestep::schedules::linear_warmup_exponential
