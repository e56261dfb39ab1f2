// constant: a_t = lr
#pragma once

#include "schedule.h"

namespace truestep::schedules::constant {

constexpr const char* kHyper = "lr";
struct Hyper {
  double lr;
};

TRUESTEP_HD double value(const Hyper& h, double) { return h.lr; }

}  // namespace truestep::schedules::constant
