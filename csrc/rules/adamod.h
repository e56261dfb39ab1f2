// AdaMod (Ding et al. 2019):
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   rate = lr / (sqrt(v / (1 - beta2^t)) + eps)
//   limit = beta3 limit + (1 - beta3) rate
//   p = p (1 - lr weight_decay) - min(rate, limit) m / (1 - beta1^t)
// Where lr is corrected instead ("rate") the moments are multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::adamod {

enum class Decay { kBefore, kCoupled, kUnscaled };
// By their place in the reference's list.
enum Correction { kMoments, kRate };

template <Decay kDecay = Decay::kBefore>
struct AdaMod : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 beta3 eps weight_decay maximize correction";
  static constexpr const char* kStates = "m v limit";
  struct Hyper {
    double lr, beta1, beta2, beta3, eps, weight_decay, maximize, correction;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2, beta3, weight3;  // weight: 1 - beta
    float reciprocal_correction1, reciprocal_correction2;
    float lr;  // with both corrections in it, or none
    float eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool of_rate = h.correction == kRate;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.beta3 = rounded(h.beta3), c.weight3 = rounded(1.0 - h.beta3);
    c.reciprocal_correction1 = rounded(of_rate ? 1.0 : 1.0 / left1);
    c.reciprocal_correction2 = rounded(of_rate ? 1.0 : 1.0 / left2);
    c.lr = rounded(of_rate ? h.lr * (sqrt(left2) / left1) : h.lr);
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& limit) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float rate = c.lr / (root_of(v * c.reciprocal_correction2) + c.eps);
    limit = c.beta3 * limit + c.weight3 * rate;
    p = p - smaller(rate, limit) * (m * c.reciprocal_correction1);
  }
};

}  // namespace truestep::rules::adamod

#define TRUESTEP_KERNELS(KERNEL)                                   \
  KERNEL("", AdaMod<>)                                             \
  KERNEL("correction=rate", AdaMod<>)                              \
  KERNEL("correction=rate decay=coupled", AdaMod<Decay::kCoupled>) \
  KERNEL("correction=rate decay=unscaled", AdaMod<Decay::kUnscaled>)
