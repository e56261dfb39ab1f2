// AggMo (Lucas et al. 2019):
//   g = g + weight_decay p                           decay "coupled"
//   b1 = beta1 b1 + g,  b2 = beta2 b2 + g,  b3 = beta3 b3 + g
//   p = p - lr / 3 (b1 + b2 + b3), whose sum may leave the range where its parts do not
#pragma once

#include "rule.h"

namespace truestep::rules::aggmo {

enum class Decay { kCoupled, kBefore, kUnscaled };

template <Decay kDecay>
struct AggMo : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 beta3 weight_decay maximize";
  static constexpr const char* kStates = "b1 b2 b3";
  struct Hyper {
    double lr, beta1, beta2, beta3, weight_decay, maximize;
  };
  struct Constants {
    float beta1, beta2, beta3;
    float third;  // of lr
    float sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.beta2 = rounded(h.beta2), c.beta3 = rounded(h.beta3);
    c.third = rounded(h.lr / 3.0);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b1, float& b2, float& b3) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    b1 = c.beta1 * b1 + g;
    b2 = c.beta2 * b2 + g;
    b3 = c.beta3 * b3 + g;
    p = p - c.third * b1 - c.third * b2 - c.third * b3;
  }
};

}  // namespace truestep::rules::aggmo

#define TRUESTEP_KERNELS(KERNEL)                \
  KERNEL("", AggMo<Decay::kCoupled>)            \
  KERNEL("decay=before", AggMo<Decay::kBefore>) \
  KERNEL("decay=unscaled", AggMo<Decay::kUnscaled>)
