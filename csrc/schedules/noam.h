// noam (Vaswani et al. 2017), s = t + 1:
//   a_t = lr d_model^-0.5 min(s^-0.5, s warmup_steps^-1.5)
#pragma once

#include "schedule.h"

namespace truestep::schedules::noam {

constexpr const char* kHyper = "lr d_model warmup_steps";
struct Hyper {
  double lr, d_model, warmup_steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double s = t + 1.0;
  const double shape = least(pow(s, -0.5), s * pow(h.warmup_steps, -1.5));
  return h.lr * pow(h.d_model, -0.5) * shape;
}

}  // namespace truestep::schedules::noam
