// ACProp (Zhuang et al. 2021):
//   m = beta1 m + (1 - beta1) g
//   update = g / (sqrt(v / (1 - beta2^(t-1))) + eps), by the v before the step, 1 in the first
//   v = beta2 v + (1 - beta2) (g - m)^2 + eps
//   p = p - lr (update + weight_decay p)
#pragma once

#include "rule.h"

namespace truestep::rules::acprop {

enum class Deviation { kNew, kOld };

template <Deviation kDeviation = Deviation::kNew>
struct AcProp : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float reciprocal_correction2;          // of the v before
    float first_divisor;
    float lr, eps, decay, sign;
    bool first;  // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.first = t == 1.0;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.reciprocal_correction2 = rounded(c.first ? 1.0 : 1.0 / (1.0 - pow(h.beta2, t - 1.0)));
    c.first_divisor = rounded(1.0 + h.eps);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    const float root = root_of(v * c.reciprocal_correction2) + c.eps;
    const float update = g / (c.first ? c.first_divisor : root);
    const float before = m;
    m = c.beta1 * m + c.weight1 * g;
    const float surprise = g - (kDeviation == Deviation::kNew ? m : before);
    v = c.beta2 * v + c.weight2 * (surprise * surprise) + c.eps;
    p = p - c.lr * (update + c.decay * p);
  }
};

}  // namespace truestep::rules::acprop

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", AcProp<>)           \
  KERNEL("deviation=old", AcProp<Deviation::kOld>)
