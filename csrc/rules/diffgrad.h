// diffGrad (Dubey et al. 2020):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   friction = 1 / (1 + exp(-|previous - g|)),  previous = g
//   p = p - lr friction m_hat / (sqrt(v_hat) + eps)
// Where a moment is not corrected for its start it is multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::diffgrad {

enum class Decay { kCoupled, kBefore, kUnscaled };
// By their place in the reference's list.
enum Eps { kOutside, kBeforeCorrection };

// exp(-x) of x >= 0, in operations that every device rounds alike; below 2^-25 it adds nothing.
TRUESTEP_HD float falling(float x) {
  x = x > 24.0f ? 24.0f : x;
  const float k = static_cast<float>(static_cast<int>(is_nan(x) ? 0.0f : x * 1.44269504f + 0.5f));
  // x - k log 2, whose first part is exact; within log 2 / 2 of zero.
  const float r = (k * 0.693359375f - x) - k * 2.12194440e-4f;
  float e = 1.98756914e-4f;
  e = e * r + 1.39819994e-3f;
  e = e * r + 8.33345205e-3f;
  e = e * r + 4.16657962e-2f;
  e = e * r + 1.66666657e-1f;
  e = e * r + 0.5f;
  e = e * (r * r) + r + 1.0f;
  return e * float_of((127u - static_cast<u32>(k)) << 23);
}

template <Decay kDecay>
struct DiffGrad : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize eps_placement";
  static constexpr const char* kStates = "m v previous";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, eps_placement;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1, correction2;
    float lr, eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool outside = h.eps_placement == kOutside;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(outside ? 1.0 / left1 : sqrt(left2) / left1);
    c.correction2 = rounded(outside ? 1.0 / left2 : 1.0);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& previous) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float friction = 1.0f / (1.0f + falling(magnitude(previous - g)));
    previous = g;
    const float update = m * c.correction1 / (root_of(v * c.correction2) + c.eps);
    p = p - c.lr * (friction * update);
  }
};

}  // namespace truestep::rules::diffgrad

#define TRUESTEP_KERNELS(KERNEL)                       \
  KERNEL("", DiffGrad<Decay::kCoupled>)                \
  KERNEL("decay=before", DiffGrad<Decay::kBefore>)     \
  KERNEL("decay=unscaled", DiffGrad<Decay::kUnscaled>) \
  KERNEL("eps_placement=before_correction", DiffGrad<Decay::kCoupled>)
