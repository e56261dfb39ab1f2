// Optimistic Adam (Daskalakis et al. 2018):
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p - lr ((alpha + beta) u - beta previous),  previous = u
// In the first step previous is u.
#pragma once

#include "rule.h"

namespace truestep::rules::optimistic_adam {

struct OptimisticAdam : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps alpha beta maximize";
  static constexpr const char* kStates = "m v previous";
  struct Hyper {
    double lr, beta1, beta2, eps, alpha, beta, maximize;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1, correction2;
    float lr, eps, now, before, sign;
    bool first;  // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.now = rounded(h.alpha + h.beta), c.before = rounded(h.beta);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.first = t == 1.0;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& previous) {
    g = c.sign * g;
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float u = m * c.correction1 / (root_of(v * c.correction2) + c.eps);
    const float last = c.first ? u : previous;
    p = p - c.lr * (c.now * u - c.before * last);
    previous = u;
  }
};

}  // namespace truestep::rules::optimistic_adam

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", OptimisticAdam)
