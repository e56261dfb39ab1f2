// rex (Chen, Wolfe & Kyrillidis 2021), x = min(t, total_steps) / total_steps:
//   a_t = min_lr + (lr - min_lr) (1 - x) / (1 - x / 2)
#pragma once

#include "schedule.h"

namespace truestep::schedules::rex {

constexpr const char* kHyper = "lr min_lr total_steps";
struct Hyper {
  double lr, min_lr, total_steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double x = least(t, h.total_steps) / h.total_steps;
  return weighted(h.min_lr, h.lr, (1.0 - x) / (1.0 - x / 2.0));
}

}  // namespace truestep::schedules::rex
