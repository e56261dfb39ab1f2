// AdaSmooth (Lu 2022):
//   s = s + (p - previous),  n = n + |p - previous|,  previous = p
//   c = ((beta2 - beta1) |s| / (n + eps) + (1 - beta2))^2
//   v = (1 - c) v + c g^2
//   p = p - lr g / sqrt(v + eps)
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::adasmooth {

// By their place in the reference's list.
enum Decay { kCoupled, kBefore, kUnscaled };

struct AdaSmooth : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize decay";
  static constexpr const char* kStates = "previous s n v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, decay;
  };
  struct Constants {
    float straight, always;  // what the ratio weighs in the root of c, and what is added to it
    float lr, eps, sign;
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.straight = rounded(h.beta2 - h.beta1), c.always = rounded(1.0 - h.beta2);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& previous, float& s,
                           float& n, float& v) {
    g = c.sign * g;
    decay(c.decay, g, p);
    const float way = p - previous;
    previous = p;
    s = s + way;
    n = n + magnitude(way);
    const float root = c.straight * (magnitude(s) / (n + c.eps)) + c.always;
    const float weight = root * root;
    v = (1.0f - weight) * v + weight * (g * g);
    p = p - c.lr * (g / root_of(v + c.eps));
  }
};

}  // namespace truestep::rules::adasmooth

#define TRUESTEP_KERNELS(KERNEL)    \
  KERNEL("", AdaSmooth)             \
  KERNEL("decay=before", AdaSmooth) \
  KERNEL("decay=unscaled", AdaSmooth)
