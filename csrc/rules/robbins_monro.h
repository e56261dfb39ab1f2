// Stochastic approximation of a root (Robbins & Monro 1951):
//   p = p - lr / (t + offset)^power (g - target)
#pragma once

#include "rule.h"

namespace truestep::rules::robbins_monro {

struct RobbinsMonro : Elementwise {
  static constexpr const char* kHyper = "lr offset power target";
  static constexpr const char* kStates = "";
  struct Hyper {
    double lr, offset, power, target;
  };
  struct Constants {
    float rate, target;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    return {rounded(h.lr / pow(h.offset + t, h.power)), rounded(h.target)};
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    p = p - c.rate * (g - c.target);
  }
};

}  // namespace truestep::rules::robbins_monro

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", RobbinsMonro)
