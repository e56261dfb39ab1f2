// Optimistic Adam (Daskalakis et al. 2018):
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p - lr ((alpha + beta) u - beta previous),  previous = u
// In the first step previous is u.
#pragma once

#include "rule.h"

namespace truestep::rules::optimistic_adam {

// By their place in the reference's list.
enum Momentum { kAverage, kNesterov };

struct OptimisticAdam : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps alpha beta maximize momentum";
  static constexpr const char* kStates = "m v previous";
  struct Hyper {
    double lr, beta1, beta2, eps, alpha, beta, maximize, momentum;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float of_average, of_gradient;         // in the corrected momentum
    float correction2;
    float lr, eps, now, before, sign;
    bool first;  // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    const bool ahead = h.momentum == kNesterov;
    const double left = 1.0 - pow(h.beta1, t);
    c.of_average = rounded(ahead ? h.beta1 / (1.0 - pow(h.beta1, t + 1.0)) : 1.0 / left);
    c.of_gradient = rounded(ahead ? (1.0 - h.beta1) / left : 0.0);
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
    const float m_hat = c.of_average * m + c.of_gradient * g;
    const float u = m_hat / (root_of(v * c.correction2) + c.eps);
    const float last = c.first ? u : previous;
    p = p - c.lr * (c.now * u - c.before * last);
    previous = u;
  }
};

}  // namespace truestep::rules::optimistic_adam

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", OptimisticAdam)     \
  KERNEL("momentum=nesterov", OptimisticAdam)
