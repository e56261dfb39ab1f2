// AdamW on gradients whose slow part is amplified, Grokfast-EMA (Lee et al. 2024):
//   slow = g in the first step, then alpha slow + (1 - alpha) g
//   f = g + amplification slow
//   m = beta1 m + (1 - beta1) f,  v = beta2 v + (1 - beta2) f^2
//   update = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p (1 - lr weight_decay) - lr update
#pragma once

#include "rule.h"

namespace truestep::rules::grokfast_adamw {

enum class Eps { kOutside, kFloor };
// Choices of the constants alone, by their place in the reference's lists.
enum Decay { kBefore, kUnscaled };
enum Rate { kPlain, kNormalized };

template <Eps kEps = Eps::kOutside>
struct GrokfastAdamW : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 alpha amplification eps weight_decay maximize decay rate";
  static constexpr const char* kStates = "slow m v";
  struct Hyper {
    double lr, beta1, beta2, alpha, amplification, eps, weight_decay, maximize, decay, rate;
  };
  struct Constants {
    float alpha, weight;                   // of the old slow part and of g
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float reciprocal_correction1, reciprocal_correction2;
    float amplification;
    float lr, eps, sign;
    float decay;  // what p is multiplied by
    bool first;   // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double lr = h.rate == kNormalized ? h.lr / (1.0 + h.amplification) : h.lr;
    Constants c;
    c.first = t == 1.0;
    c.alpha = rounded(h.alpha), c.weight = rounded(1.0 - h.alpha);
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.reciprocal_correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.reciprocal_correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.amplification = rounded(h.amplification);
    c.lr = rounded(lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(1.0 - (h.decay == kBefore ? lr * h.weight_decay : h.weight_decay));
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& slow, float& m, float& v) {
    g = c.sign * g;
    slow = c.first ? g : c.alpha * slow + c.weight * g;
    const float f = g + c.amplification * slow;
    m = c.beta1 * m + c.weight1 * f;
    v = c.beta2 * v + c.weight2 * (f * f);
    float root = root_of(v * c.reciprocal_correction2);
    root = kEps == Eps::kFloor ? larger(root, c.eps) : root + c.eps;
    p = p * c.decay - c.lr * (m * c.reciprocal_correction1 / root);
  }
};

}  // namespace truestep::rules::grokfast_adamw

#define TRUESTEP_KERNELS(KERNEL)                                            \
  KERNEL("", GrokfastAdamW<>)                                               \
  KERNEL("decay=unscaled", GrokfastAdamW<>)                                 \
  KERNEL("eps_placement=floor", GrokfastAdamW<Eps::kFloor>)                 \
  KERNEL("eps_placement=floor rate=normalized", GrokfastAdamW<Eps::kFloor>) \
  KERNEL("decay=unscaled eps_placement=floor rate=normalized", GrokfastAdamW<Eps::kFloor>)
