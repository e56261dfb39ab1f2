// Adam-atan2 (Everett et al. 2024):
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   p = p (1 - lr weight_decay) - lr a atan2(m / (1 - beta1^t), b sqrt(v / (1 - beta2^t)))
#pragma once

#include "../formats/angles.h"
#include "rule.h"

namespace truestep::rules::adam_atan2 {

// By their place in the reference's list.
enum Decay { kBefore, kCautious, kUnscaled };

struct AdamAtan2 : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 a b weight_decay maximize decay";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, a, b, weight_decay, maximize, decay;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta; weight1 is negated when maximizing
    float correction1, correction2;        // what m and v are multiplied by
    float lr, a, b;
    float decay;  // what p is multiplied by
    bool cautious;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1);
    c.weight1 = rounded(h.maximize != 0.0 ? h.beta1 - 1.0 : 1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.lr = rounded(h.lr), c.a = rounded(h.a), c.b = rounded(h.b);
    c.decay = rounded(1.0 - (h.decay == kUnscaled ? 1.0 : h.lr) * h.weight_decay);
    c.cautious = h.decay == kCautious;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float way = angle_of(m * c.correction1, c.b * root_of(v * c.correction2));
    const bool shrinks = !c.cautious || way * p > 0.0f;
    p = (shrinks ? p * c.decay : p) - c.lr * (c.a * way);
  }
};

}  // namespace truestep::rules::adam_atan2

#define TRUESTEP_KERNELS(KERNEL)      \
  KERNEL("", AdamAtan2)               \
  KERNEL("decay=cautious", AdamAtan2) \
  KERNEL("decay=unscaled", AdamAtan2)
