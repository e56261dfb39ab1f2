// KATE (Choudhury et al. 2024), of the roots m and b of its sums:
//   b^2 = b^2 + g^2 + eps
//   m^2 = m^2 + delta g^2 + g^2 / b^2
//   p = p - lr m g / b^2
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::kate {

// By their place in the reference's list.
enum Decay { kBefore, kCoupled, kUnscaled };

struct Kate : Elementwise {
  static constexpr const char* kHyper = "lr delta eps weight_decay maximize decay";
  static constexpr const char* kStates = "m b";
  struct Hyper {
    double lr, delta, eps, weight_decay, maximize, decay;
  };
  struct Constants {
    float lr, delta, eps, sign;
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr), c.delta = rounded(h.delta), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& b) {
    g = c.sign * g;
    decay(c.decay, g, p);
    const float square = g * g;
    const float total = b * b + square + c.eps;
    b = root_of(total);
    m = root_of(m * m + c.delta * square + square / total);
    p = p - c.lr * (m * g / total);
  }
};

}  // namespace truestep::rules::kate

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Kate)               \
  KERNEL("decay=coupled", Kate)  \
  KERNEL("decay=unscaled", Kate)
