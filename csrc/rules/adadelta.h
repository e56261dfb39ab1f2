// Adadelta (Zeiler 2012):
//   g = g + weight_decay p                           decay "coupled"
//   v = rho v + (1 - rho) g^2
//   delta = sqrt(u + eps) / sqrt(v + eps) g
//   u = rho u + (1 - rho) delta^2
//   p = p - lr delta
#pragma once

#include "rule.h"

namespace truestep::rules::adadelta {

enum class Decay { kCoupled, kBefore };

template <Decay kDecay>
struct Adadelta : Elementwise {
  static constexpr const char* kHyper = "lr rho eps weight_decay maximize";
  static constexpr const char* kStates = "v u";
  struct Hyper {
    double lr, rho, eps, weight_decay, maximize;
  };
  struct Constants {
    float rho, weight;  // weight: 1 - rho
    float lr, eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.rho = rounded(h.rho), c.weight = rounded(1.0 - h.rho);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& v, float& u) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    v = c.rho * v + c.weight * (g * g);
    const float delta = root_of(u + c.eps) / root_of(v + c.eps) * g;
    u = c.rho * u + c.weight * (delta * delta);
    p = p - c.lr * delta;
  }
};

}  // namespace truestep::rules::adadelta

#define TRUESTEP_KERNELS(KERNEL)        \
  KERNEL("", Adadelta<Decay::kCoupled>) \
  KERNEL("decay=before", Adadelta<Decay::kBefore>)
