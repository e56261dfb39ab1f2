// inverse_time: a_t = lr / (1 + decay_rate t / decay_steps)
#pragma once

#include "schedule.h"

namespace truestep::schedules::inverse_time {

// The quotient t / decay_steps, or its whole part.
enum Steps { kContinuous, kStaircase };

constexpr const char* kHyper = "lr decay_rate decay_steps steps";
struct Hyper {
  double lr, decay_rate, decay_steps, steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double x = h.steps == kContinuous ? t / h.decay_steps : quotient(t, h.decay_steps);
  return h.lr / (1.0 + h.decay_rate * x);
}

}  // namespace truestep::schedules::inverse_time
