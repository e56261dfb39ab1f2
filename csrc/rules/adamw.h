// AdamW (Loshchilov & Hutter 2019):
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   update = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p (1 - lr weight_decay) - lr update           decay "before"
// The float32 association repeats these lines; only the two divisions by a constant are products
// with its reciprocal, formed in double and rounded once, which costs the same number of roundings.
// Folding lr or the corrections into fewer constants would save a product that memory bandwidth
// hides, and lose accuracy where lr m underflows although lr m / eps does not.
#pragma once

#include "rule.h"

namespace truestep::rules::adamw {

enum class Decay { kBefore, kUnscaled, kInStep, kAfter, kCautious };
enum class Eps { kOutside, kBeforeCorrection };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct AdamW : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize;
  };
  struct Constants {
    float beta1;
    float gradient_weight;  // 1 - beta1; negated when maximizing
    float beta2;
    float square_weight;           // 1 - beta2
    float reciprocal_correction1;  // 1 / (1 - beta1^t)
    float correction2;             // 1 / (1 - beta2^t), or of eps before it the root of 1 - beta2^t
    float lr;
    float decay;  // 1 - lr weight_decay; weight_decay of "unscaled" and "in_step"
    float eps;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double gradient_weight = 1.0 - h.beta1;
    const double left2 = 1.0 - pow(h.beta2, t);
    Constants c;
    c.beta1 = rounded(h.beta1);
    c.gradient_weight = rounded(h.maximize != 0.0 ? -gradient_weight : gradient_weight);
    c.beta2 = rounded(h.beta2);
    c.square_weight = rounded(1.0 - h.beta2);
    c.reciprocal_correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.correction2 = rounded(kEps == Eps::kOutside ? 1.0 / left2 : sqrt(left2));
    c.lr = rounded(h.lr);
    const bool scaled = kDecay != Decay::kUnscaled && kDecay != Decay::kInStep;
    c.decay = rounded(scaled ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    c.eps = rounded(h.eps);
    return c;
  }

  static constexpr int kLines = 3;
  template <int k>
  TRUESTEP_HD void line(const Constants& c, float g, float& p, float& m, float& v) {
    if constexpr (k == 0) {
      m = c.beta1 * m + c.gradient_weight * g;
    } else if constexpr (k == 1) {
      v = c.beta2 * v + c.square_weight * (g * g);
    } else {
      const float m_hat = m * c.reciprocal_correction1;
      float update;
      if constexpr (kEps == Eps::kOutside) {
        update = m_hat / (root_of(v * c.correction2) + c.eps);
      } else {
        update = m_hat * c.correction2 / (root_of(v) + c.eps);
      }
      if constexpr (kDecay == Decay::kBefore) {
        p = p * c.decay - c.lr * update;
      } else if constexpr (kDecay == Decay::kUnscaled) {
        p = p - (c.lr * update + c.decay * p);
      } else if constexpr (kDecay == Decay::kInStep) {
        p = p - c.lr * (update + c.decay * p);
      } else if constexpr (kDecay == Decay::kCautious) {
        p = (update * p >= 0.0f ? p * c.decay : p) - c.lr * update;
      } else {
        p = (p - c.lr * update) * c.decay;
      }
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    line<0>(c, g, p, m, v);
    line<1>(c, g, p, m, v);
    line<2>(c, g, p, m, v);
  }
};

}  // namespace truestep::rules::adamw

#define TRUESTEP_KERNELS(KERNEL)                         \
  KERNEL("decay=before", AdamW<Decay::kBefore>)          \
  KERNEL("decay=unscaled", AdamW<Decay::kUnscaled>)      \
  KERNEL("decay=in_step", AdamW<Decay::kInStep>)         \
  KERNEL("decay=after", AdamW<Decay::kAfter>)            \
  KERNEL("decay=cautious", AdamW<Decay::kCautious>)      \
  KERNEL("decay=before eps_placement=before_correction", \
         AdamW<Decay::kBefore, Eps::kBeforeCorrection>)
