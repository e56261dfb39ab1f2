// Yogi (Zaheer et al. 2018):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = v - (1 - beta2) sign(v - g^2) g^2
//   p = p - lr m / (sqrt(v) + eps)
// Where moments are not corrected for their start they are multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::yogi {

enum class Decay { kCoupled, kBefore, kUnscaled };
// By their place in the reference's list.
enum Correction { kNone, kBoth };

template <Decay kDecay>
struct Yogi : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize bias_correction";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction;
  };
  struct Constants {
    float beta1, weight1, weight2;  // weight: 1 - beta
    float correction1, correction2;
    float lr, eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool both = h.bias_correction == kBoth;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(both ? 1.0 / (1.0 - pow(h.beta1, t)) : 1.0);
    c.correction2 = rounded(both ? 1.0 / (1.0 - pow(h.beta2, t)) : 1.0);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float square = g * g;
    m = c.beta1 * m + c.weight1 * g;
    v = v - c.weight2 * sign_of(v - square) * square;
    p = p - c.lr * (m * c.correction1 / (root_of(v * c.correction2) + c.eps));
  }
};

}  // namespace truestep::rules::yogi

#define TRUESTEP_KERNELS(KERNEL)                                    \
  KERNEL("", Yogi<Decay::kCoupled>)                                 \
  KERNEL("bias_correction=both start=both", Yogi<Decay::kCoupled>)  \
  KERNEL("bias_correction=both decay=before", Yogi<Decay::kBefore>) \
  KERNEL("bias_correction=both decay=unscaled", Yogi<Decay::kUnscaled>)
