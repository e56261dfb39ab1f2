// QHM (Ma & Yarats 2019):
//   g = g + weight_decay p                           decay "coupled"
//   m = momentum m + (1 - momentum) g
//   p = p - lr ((1 - nu) g + nu m)
#pragma once

#include "rule.h"

namespace truestep::rules::qhm {

enum class Decay { kCoupled, kBefore, kUnscaled };

template <Decay kDecay>
struct Qhm : Elementwise {
  static constexpr const char* kHyper = "lr momentum nu weight_decay maximize";
  static constexpr const char* kStates = "m";
  struct Hyper {
    double lr, momentum, nu, weight_decay, maximize;
  };
  struct Constants {
    float momentum, weight;  // weight: 1 - momentum
    float of_gradient, of_average;
    float sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.momentum = rounded(h.momentum), c.weight = rounded(1.0 - h.momentum);
    c.of_gradient = rounded(h.lr * (1.0 - h.nu)), c.of_average = rounded(h.lr * h.nu);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.momentum * m + c.weight * g;
    p = p - (c.of_gradient * g + c.of_average * m);
  }
};

}  // namespace truestep::rules::qhm

#define TRUESTEP_KERNELS(KERNEL)              \
  KERNEL("", Qhm<Decay::kCoupled>)            \
  KERNEL("decay=before", Qhm<Decay::kBefore>) \
  KERNEL("decay=unscaled", Qhm<Decay::kUnscaled>)
