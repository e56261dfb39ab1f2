// power (Robbins & Monro 1951): a_t = lr / (t + shift)^power
#pragma once

#include "schedule.h"

namespace truestep::schedules::power {

constexpr const char* kHyper = "lr shift power";
struct Hyper {
  double lr, shift, power;
};

TRUESTEP_HD double value(const Hyper& h, double t) { return h.lr / pow(t + h.shift, h.power); }

}  // namespace truestep::schedules::power
