// exponential: a_t = max(lr gamma^(t / step_size), min_lr)
#pragma once

#include "schedule.h"

namespace truestep::schedules::exponential {

// The exponent, or its whole part.
enum Steps { kContinuous, kStaircase };

constexpr const char* kHyper = "lr gamma step_size min_lr steps";
struct Hyper {
  double lr, gamma, step_size, min_lr, steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double exponent = h.steps == kContinuous ? t / h.step_size : quotient(t, h.step_size);
  return greatest(h.lr * pow(h.gamma, exponent), h.min_lr);
}

}  // namespace truestep::schedules::exponential
