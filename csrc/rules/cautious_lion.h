// Cautious Lion (Liang et al. 2024):
//   u = sign(beta1 m + (1 - beta1) g)
//   p = p (1 - lr weight_decay) - lr scale u where u g > 0, scale by how many these are
//   m = beta2 m + (1 - beta2) g
// One pass counts and a second one writes.
#pragma once

#include "rule.h"

namespace truestep::rules::cautious_lion {

enum class Decay { kBefore, kCoupled, kUnscaled };
enum class NanSign { kNan, kZero };
// By their place in the reference's list.
enum Scale { kPlusOne, kMean };

template <Decay kDecay, NanSign kNanSign = NanSign::kNan>
struct CautiousLion : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 weight_decay maximize scale";
  static constexpr const char* kStates = "m";
  static constexpr int kSums = 1;  // how many agree
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, weight_decay, maximize, scale;
  };
  struct Constants {
    float beta1, weight1;  // weight: 1 - beta
    float beta2, weight2;
    float lr;
    float decay;  // what p is multiplied by, or weight_decay where it is added to the gradient
    float sign;   // of the gradient
    float scale;
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
    c.scale = 1.0f;
    return c;
  }

  TRUESTEP_HD float gradient(const Constants& c, float g, float p) {
    g = c.sign * g;
    return kDecay == Decay::kCoupled ? g + c.decay * p : g;
  }

  // The sign of the interpolation, 0 where it does not agree with the gradient.
  TRUESTEP_HD float direction(const Constants& c, float g, float m) {
    const float u = sign_of(c.beta1 * m + c.weight1 * g);
    if (kNanSign == NanSign::kZero && is_nan(u)) return 0.0f;
    return is_nan(u) || u * g > 0.0f ? u : 0.0f;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, double (&addend)[kSums]) {
    g = gradient(c, g, p);
    const float u = direction(c, g, m);
    addend[0] = u * g > 0.0f ? 1.0 : 0.0;
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double*,
                          Constants& c) {
    const double share = sum[0] / (size > 1.0 ? size : 1.0);
    c.scale =
        rounded(h.scale == kPlusOne ? size / (sum[0] + 1.0) : 1.0 / (share > 1e-3 ? share : 1e-3));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    g = gradient(c, g, p);
    const float u = direction(c, g, m);
    m = c.beta2 * m + c.weight2 * g;
    if constexpr (kDecay != Decay::kCoupled) p = p * c.decay;
    p = p - c.lr * (c.scale * u);
  }
};

}  // namespace truestep::rules::cautious_lion

#define TRUESTEP_KERNELS(KERNEL)                                                     \
  KERNEL("", CautiousLion<Decay::kBefore>)                                           \
  KERNEL("decay=coupled", CautiousLion<Decay::kCoupled>)                             \
  KERNEL("decay=before nan_sign=zero", CautiousLion<Decay::kBefore, NanSign::kZero>) \
  KERNEL("decay=unscaled nan_sign=zero", CautiousLion<Decay::kUnscaled, NanSign::kZero>)
