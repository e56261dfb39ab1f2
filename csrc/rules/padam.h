// Padam (Chen et al. 2018), of g + weight_decay p as g:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   v_max = max(v_max, v)
//   p = p - lr m / (sqrt(v_max) + eps)^(2 partial)
#pragma once

#include "../formats/powers.h"
#include "rule.h"

namespace truestep::rules::padam {

enum class Decay { kCoupled, kBefore, kUnscaled };
// By their place in the reference's list.
enum Correction { kNone, kRate };

template <Decay kDecay = Decay::kCoupled, bool kKeepsMaximum = true>
struct Padam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 partial eps weight_decay maximize bias_correction";
  static constexpr const char* kStates = "m v v_max";
  struct Hyper {
    double lr, beta1, beta2, partial, eps, weight_decay, maximize, bias_correction;
  };
  struct Constants {
    double power;                          // of the root
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float lr;                              // with both corrections in it, or none
    float eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double corrections = sqrt(1.0 - pow(h.beta2, t)) / (1.0 - pow(h.beta1, t));
    Constants c;
    c.power = 2.0 * h.partial;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.lr = rounded(h.bias_correction == kRate ? h.lr * corrections : h.lr);
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& v_max) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    if constexpr (kKeepsMaximum) v_max = larger(v_max, v);
    const float root = root_of(kKeepsMaximum ? v_max : v) + c.eps;
    p = p - c.lr * (m / power_of(root, c.power));
  }
};

}  // namespace truestep::rules::padam

#define TRUESTEP_KERNELS(KERNEL)                                                         \
  KERNEL("", Padam<>)                                                                    \
  KERNEL("bias_correction=rate", Padam<>)                                                \
  KERNEL("bias_correction=rate maximum=none", Padam<Decay::kCoupled, false>)             \
  KERNEL("bias_correction=rate decay=before maximum=none", Padam<Decay::kBefore, false>) \
  KERNEL("bias_correction=rate decay=unscaled maximum=none", Padam<Decay::kUnscaled, false>)
