// EXAdam (Adly 2024):
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   d1 = 1 + beta2^t v / (v + eps),  d2 = 1 + beta1^t m^2 / (m^2 + eps)
//   mean = d1 (m + g) / (1 - beta1^t)
//   p = p - lr log(2 (t + 1)) / 2 mean / (sqrt(d2 v / (1 - beta2^t)) + eps)
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::exadam {

// By their place in the reference's lists.
enum Decay { kBefore, kCoupled, kUnscaled };
enum Rate { kLogarithmic, kPlain };

struct ExAdam : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize decay rate";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, decay, rate;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float left1, left2;                    // beta^t
    float correction1, correction2;        // what m and g, and v are multiplied by
    float lr, eps, sign;
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = pow(h.beta1, t), left2 = pow(h.beta2, t);
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.left1 = rounded(left1), c.left2 = rounded(left2);
    c.correction1 = rounded(1.0 / (1.0 - left1)), c.correction2 = rounded(1.0 / (1.0 - left2));
    c.lr = rounded(h.rate == kPlain ? h.lr : h.lr * (log(2.0 * (t + 1.0)) / 2.0));
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    decay(c.decay, g, p);
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float square = m * m;
    const float d1 = 1.0f + c.left2 * (v / (v + c.eps));
    const float d2 = 1.0f + c.left1 * (square / (square + c.eps));
    const float mean = d1 * (m * c.correction1) + d1 * (g * c.correction1);
    p = p - c.lr * (mean / (root_of(d2 * (v * c.correction2)) + c.eps));
  }
};

}  // namespace truestep::rules::exadam

#define TRUESTEP_KERNELS(KERNEL)             \
  KERNEL("", ExAdam)                         \
  KERNEL("rate=plain", ExAdam)               \
  KERNEL("decay=coupled rate=plain", ExAdam) \
  KERNEL("decay=unscaled rate=plain", ExAdam)
