// linear, x = min(t, total_steps) / total_steps:
//   a_t = lr ((1 - x) start_factor + x end_factor)
#pragma once

#include "schedule.h"

namespace truestep::schedules::linear {

constexpr const char* kHyper = "lr start_factor end_factor total_steps";
struct Hyper {
  double lr, start_factor, end_factor, total_steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double x = least(t, h.total_steps) / h.total_steps;
  return h.lr * weighted(h.start_factor, h.end_factor, x);
}

}  // namespace truestep::schedules::linear
