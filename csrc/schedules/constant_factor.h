// constant_factor: a_t = lr factor for t < total_steps, lr after it
#pragma once

#include "schedule.h"

namespace truestep::schedules::constant_factor {

constexpr const char* kHyper = "lr factor total_steps";
struct Hyper {
  double lr, factor, total_steps;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  return t < h.total_steps ? h.lr * h.factor : h.lr;
}

}  // namespace truestep::schedules::constant_factor
