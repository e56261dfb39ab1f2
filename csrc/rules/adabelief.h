// AdaBelief (Zhuang et al. 2020):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) (g - m)^2 + eps
//   p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
#pragma once

#include "rule.h"

namespace truestep::rules::adabelief {

enum class Decay { kCoupled, kBefore, kUnscaled };

template <Decay kDecay>
struct AdaBelief : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1, correction2;
    float lr, eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.beta1 * m + c.weight1 * g;
    const float surprise = g - m;
    v = c.beta2 * v + c.weight2 * (surprise * surprise) + c.eps;
    p = p - c.lr * (m * c.correction1 / (root_of(v * c.correction2) + c.eps));
  }
};

}  // namespace truestep::rules::adabelief

#define TRUESTEP_KERNELS(KERNEL)                    \
  KERNEL("", AdaBelief<Decay::kCoupled>)            \
  KERNEL("decay=before", AdaBelief<Decay::kBefore>) \
  KERNEL("decay=unscaled", AdaBelief<Decay::kUnscaled>)
