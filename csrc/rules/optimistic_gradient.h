// Optimistic gradient descent (Daskalakis et al. 2018):
//   p = p - lr ((alpha + beta) g - beta previous),  previous = g
// In the first step previous is g.
#pragma once

#include "rule.h"

namespace truestep::rules::optimistic_gradient {

struct OptimisticGradient : Elementwise {
  static constexpr const char* kHyper = "lr alpha beta maximize";
  static constexpr const char* kStates = "previous";
  struct Hyper {
    double lr, alpha, beta, maximize;
  };
  struct Constants {
    float lr, now, before, sign;
    bool first;  // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.lr = rounded(h.lr);
    c.now = rounded(h.alpha + h.beta), c.before = rounded(h.beta);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.first = t == 1.0;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& previous) {
    g = c.sign * g;
    const float last = c.first ? g : previous;
    p = p - c.lr * (c.now * g - c.before * last);
    previous = g;
  }
};

}  // namespace truestep::rules::optimistic_gradient

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", OptimisticGradient)
