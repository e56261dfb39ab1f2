// AccSGD (Kidambi et al. 2018), of g + weight_decay p as g:
//   share = constant^2 xi / kappa
//   b = (1 - share) b + share (p - (kappa / constant) lr g)
//   p = (constant (p - lr g) + share b) / (constant + share)
#pragma once

#include "rule.h"

namespace truestep::rules::accsgd {

struct AccSgd : Elementwise {
  static constexpr const char* kHyper = "lr kappa xi constant weight_decay maximize";
  static constexpr const char* kStates = "b";
  struct Hyper {
    double lr, kappa, xi, constant, weight_decay, maximize;
  };
  struct Constants {
    float kept, share;  // of the old b and of the far point
    float near, of_b;   // of the near point and of b in p
    float lr, far;      // the short rate and the long one
    float decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double share = h.constant * h.constant * h.xi / h.kappa;
    const double near = h.constant / (h.constant + share);
    Constants c;
    c.kept = rounded(1.0 - share), c.share = rounded(share);
    c.near = rounded(near), c.of_b = rounded(1.0 - near);
    c.lr = rounded(h.lr), c.far = rounded(h.kappa / h.constant * h.lr);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b) {
    g = c.sign * g + c.decay * p;
    b = c.kept * b + c.share * (p - c.far * g);
    p = c.near * (p - c.lr * g) + c.of_b * b;
  }
};

}  // namespace truestep::rules::accsgd

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", AccSgd)
