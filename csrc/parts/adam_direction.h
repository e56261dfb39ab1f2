// Adam's moments of g and, in the parameter's operand, the direction that they give:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   d = of_m m / (sqrt(of_v v) + eps)
#pragma once

#include "../rules/rule.h"

namespace truestep::parts::adam_direction {

template <int = 0>
struct AdamDirection : Elementwise {
  static constexpr const char* kHyper = "beta1 beta2 eps of_m of_v";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double beta1, beta2, eps, of_m, of_v;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float eps, of_m, of_v;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.eps = rounded(h.eps);
    c.of_m = rounded(h.of_m), c.of_v = rounded(h.of_v);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& d, float& m, float& v) {
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    d = c.of_m * m / (root_of(c.of_v * v) + c.eps);
  }
};

}  // namespace truestep::parts::adam_direction

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", AdamDirection<>)
