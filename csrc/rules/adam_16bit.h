// Adam for 16-bit training (Yun 2023):
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   p = p - lr m_hat / sqrt(max(v_hat, eps))
#pragma once

#include "rule.h"

namespace truestep::rules::adam_16bit {

enum class Floor { kInside, kOutside };

template <Floor kFloor>
struct Adam16Bit : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps maximize";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, maximize;
  };
  struct Constants {
    float beta1, gradient_weight;  // 1 - beta1; negated when maximizing
    float beta2, square_weight;
    float reciprocal_correction1, reciprocal_correction2;
    float eps;
    float lr;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double gradient_weight = 1.0 - h.beta1;
    Constants c;
    c.beta1 = rounded(h.beta1);
    c.gradient_weight = rounded(h.maximize != 0.0 ? -gradient_weight : gradient_weight);
    c.beta2 = rounded(h.beta2);
    c.square_weight = rounded(1.0 - h.beta2);
    c.reciprocal_correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.reciprocal_correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.eps = rounded(h.eps);
    c.lr = rounded(h.lr);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    m = c.beta1 * m + c.gradient_weight * g;
    v = c.beta2 * v + c.square_weight * (g * g);
    const float m_hat = m * c.reciprocal_correction1;
    const float v_hat = v * c.reciprocal_correction2;
    const float root =
        kFloor == Floor::kInside ? root_of(larger(v_hat, c.eps)) : larger(root_of(v_hat), c.eps);
    p = p - c.lr * m_hat / root;
  }
};

}  // namespace truestep::rules::adam_16bit

#define TRUESTEP_KERNELS(KERNEL)        \
  KERNEL("", Adam16Bit<Floor::kInside>) \
  KERNEL("floor_placement=outside", Adam16Bit<Floor::kOutside>)
