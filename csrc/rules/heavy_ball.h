// The heavy ball (Polyak 1964):
//   g = g + weight_decay p
//   p = p - lr g + momentum (p - p_previous),  p_previous = p
#pragma once

#include "rule.h"

namespace truestep::rules::heavy_ball {

struct HeavyBall : Elementwise {
  static constexpr const char* kHyper = "lr momentum weight_decay maximize";
  static constexpr const char* kStates = "p_previous";
  struct Hyper {
    double lr, momentum, weight_decay, maximize;
  };
  struct Constants {
    float lr, momentum, decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    return {rounded(h.lr), rounded(h.momentum), rounded(h.weight_decay),
            h.maximize != 0.0 ? -1.0f : 1.0f};
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& p_previous) {
    g = c.sign * g + c.decay * p;
    const float moved = p - c.lr * g + c.momentum * (p - p_previous);
    p_previous = p;
    p = moved;
  }
};

}  // namespace truestep::rules::heavy_ball

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", HeavyBall)
