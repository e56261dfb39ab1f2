// FTRL-Proximal (McMahan et al. 2013):
//   z = z + g - (sqrt(n + g^2) - sqrt(n)) / lr p,  n = n + g^2
//   p = 0 where |z| <= lambda_1, else
//       (sign(z) lambda_1 - z) / ((beta + sqrt(n)) / lr + lambda_2)
#pragma once

#include "rule.h"

namespace truestep::rules::ftrl {

struct Ftrl : Elementwise {
  static constexpr const char* kHyper = "lr beta lambda_1 lambda_2 maximize";
  static constexpr const char* kStates = "z n";
  struct Hyper {
    double lr, beta, lambda_1, lambda_2, maximize;
  };
  struct Constants {
    float lr, beta, lambda_1, lambda_2, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr), c.beta = rounded(h.beta);
    c.lambda_1 = rounded(h.lambda_1), c.lambda_2 = rounded(h.lambda_2);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& z, float& n) {
    g = c.sign * g;
    const float before = root_of(n);
    n = n + g * g;
    const float root = root_of(n);
    z = z + g - (root - before) / c.lr * p;
    const float threshold = z < 0.0f ? -c.lambda_1 : c.lambda_1;
    const float led = (threshold - z) / ((c.beta + root) / c.lr + c.lambda_2);
    p = magnitude(z) <= c.lambda_1 ? 0.0f : led;
  }
};

}  // namespace truestep::rules::ftrl

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", Ftrl)
