// Lion (Chen et al. 2023):
//   c = beta1 m + (1 - beta1) g
//   p = p (1 - lr weight_decay) - lr sign(c)
//   m = beta2 m + (1 - beta2) g
#pragma once

#include "rule.h"

namespace truestep::rules::lion {

enum class Decay { kBefore, kCoupled, kUnscaled, kInStep };
enum class NanSign { kNan, kZero };

template <Decay kDecay, NanSign kNanSign = NanSign::kNan>
struct Lion : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 weight_decay maximize";
  static constexpr const char* kStates = "m";
  struct Hyper {
    double lr, beta1, beta2, weight_decay, maximize;
  };
  struct Constants {
    float beta1, weight1;  // weight: 1 - beta
    float beta2, weight2;
    float lr;
    float decay;  // what p is multiplied by, or weight_decay where it is added to something
    float sign;   // of the gradient
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.lr = rounded(h.lr);
    c.decay = rounded(kDecay == Decay::kBefore     ? 1.0 - h.lr * h.weight_decay
                      : kDecay == Decay::kUnscaled ? 1.0 - h.weight_decay
                                                   : h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    const float interpolated = c.beta1 * m + c.weight1 * g;
    float update = sign_of(interpolated);
    if constexpr (kNanSign == NanSign::kZero) update = is_nan(update) ? 0.0f : update;
    m = c.beta2 * m + c.weight2 * g;
    if constexpr (kDecay == Decay::kBefore || kDecay == Decay::kUnscaled) p = p * c.decay;
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::lion

#define TRUESTEP_KERNELS(KERNEL)                                             \
  KERNEL("decay=before", Lion<Decay::kBefore>)                               \
  KERNEL("decay=in_step", Lion<Decay::kInStep>)                              \
  KERNEL("decay=coupled", Lion<Decay::kCoupled>)                             \
  KERNEL("decay=before nan_sign=zero", Lion<Decay::kBefore, NanSign::kZero>) \
  KERNEL("decay=unscaled nan_sign=zero", Lion<Decay::kUnscaled, NanSign::kZero>)
