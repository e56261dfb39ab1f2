// AdaBound (Luo et al. 2019):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   rate = clip(lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps), low, high)
//   p = p - rate m
#pragma once

#include "rule.h"

namespace truestep::rules::adabound {

enum class Decay { kCoupled, kBefore, kUnscaled };

template <Decay kDecay, bool kKeepsMaximum = false>
struct AdaBound : Elementwise {
  static constexpr const char* kHyper = "lr final_lr beta1 beta2 gamma eps weight_decay maximize";
  static constexpr const char* kStates = "m v v_max";
  struct Hyper {
    double lr, final_lr, beta1, beta2, gamma, eps, weight_decay, maximize;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float low, high;
    float lr;  // corrected for the zero start of both moments
    float eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.low = rounded(h.final_lr * (1.0 - 1.0 / (h.gamma * t + 1.0)));
    c.high = rounded(h.final_lr * (1.0 + 1.0 / (h.gamma * t)));
    c.lr = rounded(h.lr * (sqrt(1.0 - pow(h.beta2, t)) / (1.0 - pow(h.beta1, t))));
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& v_max) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    if constexpr (kKeepsMaximum) v_max = larger(v_max, v);
    const float rate = c.lr / (root_of(kKeepsMaximum ? v_max : v) + c.eps);
    p = p - smaller(larger(rate, c.low), c.high) * m;
  }
};

}  // namespace truestep::rules::adabound

#define TRUESTEP_KERNELS(KERNEL)                          \
  KERNEL("", AdaBound<Decay::kCoupled>)                   \
  KERNEL("decay=before", AdaBound<Decay::kBefore>)        \
  KERNEL("decay=unscaled", AdaBound<Decay::kUnscaled>)    \
  KERNEL("maximum=kept", AdaBound<Decay::kCoupled, true>) \
  KERNEL("decay=before maximum=kept", AdaBound<Decay::kBefore, true>)
