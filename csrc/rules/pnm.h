// Positive-negative momentum (Xie et al. 2021), of the last average m and the one before it:
//   new = beta1^2 previous + (1 - beta1^2) g
//   p = p (1 - lr weight_decay)
//       - lr ((1 + beta0) new - beta0 m) / sqrt((1 + beta0)^2 + beta0^2)
//   m, previous = new, m
#pragma once

#include "rule.h"

namespace truestep::rules::pnm {

enum class Decay { kBefore, kCoupled, kUnscaled };

template <Decay kDecay = Decay::kBefore>
struct Pnm : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta0 weight_decay maximize";
  static constexpr const char* kStates = "m previous";
  struct Hyper {
    double lr, beta1, beta0, weight_decay, maximize;
  };
  struct Constants {
    float kept, weight;                         // of the old average and of g
    float positive, negative, reciprocal_size;  // of the two averages
    float lr, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double kept = h.beta1 * h.beta1, positive = 1.0 + h.beta0;
    Constants c;
    c.kept = rounded(kept), c.weight = rounded(1.0 - kept);
    c.positive = rounded(positive), c.negative = rounded(h.beta0);
    c.reciprocal_size = rounded(1.0 / sqrt(positive * positive + h.beta0 * h.beta0));
    c.lr = rounded(h.lr);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& previous) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float last = m;
    m = c.kept * previous + c.weight * g;
    previous = last;
    p = p - c.lr * ((c.positive * m - c.negative * last) * c.reciprocal_size);
  }
};

}  // namespace truestep::rules::pnm

#define TRUESTEP_KERNELS(KERNEL)                \
  KERNEL("", Pnm<>)                             \
  KERNEL("decay=coupled", Pnm<Decay::kCoupled>) \
  KERNEL("decay=unscaled", Pnm<Decay::kUnscaled>)
