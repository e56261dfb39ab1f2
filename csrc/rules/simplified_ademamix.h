// Simplified AdEMAMix (Morwani et al. 2025):
//   m = beta1 m + g,  v = beta2 v + (1 - beta2) g^2
//   update = (m + alpha g) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p - lr (update + weight_decay p)
// What a sum of gradients is not multiplied by, or an update, is 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::simplified_ademamix {

enum class Decay { kInStep, kBefore, kCoupled, kUnscaled };
// Choices of the constants alone, by their place in the reference's lists.
enum Correction { kMoment, kTwice };
enum Momentum { kSum, kAverage };

template <Decay kDecay = Decay::kInStep>
struct SimplifiedAdEMAMix : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 alpha eps weight_decay maximize correction momentum";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, alpha, eps, weight_decay, maximize, correction, momentum;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // of what was kept and of what enters
    float reciprocal_correction2;
    float after;  // what the update is multiplied by
    float alpha;
    float lr, eps, sign;
    float decay;  // what p is multiplied by, or weight_decay where it is added to something
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left = 1.0 - pow(h.beta2, t);
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(h.momentum == kSum ? 1.0 : 1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.reciprocal_correction2 = rounded(1.0 / left);
    c.after = rounded(h.correction == kTwice ? 1.0 / left : 1.0);
    c.alpha = rounded(h.alpha);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore     ? 1.0 - h.lr * h.weight_decay
                      : kDecay == Decay::kUnscaled ? 1.0 - h.weight_decay
                                                   : h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kDecay == Decay::kBefore || kDecay == Decay::kUnscaled) p = p * c.decay;
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float root = root_of(v * c.reciprocal_correction2) + c.eps;
    float update = (m + c.alpha * g) / root * c.after;
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::simplified_ademamix

#define TRUESTEP_KERNELS(KERNEL)                                                                 \
  KERNEL("", SimplifiedAdEMAMix<>)                                                               \
  KERNEL("correction=twice decay=coupled momentum=average", SimplifiedAdEMAMix<Decay::kCoupled>) \
  KERNEL("correction=twice decay=before momentum=average", SimplifiedAdEMAMix<Decay::kBefore>)   \
  KERNEL("correction=twice decay=unscaled momentum=average", SimplifiedAdEMAMix<Decay::kUnscaled>)
