// Adam (Kingma & Ba 2015):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
// Where a moment is not corrected for its start it is multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::adam {

enum class Decay { kCoupled, kBefore, kAfter };
enum class Eps { kOutside, kBeforeCorrection, kInside };
// By their place in the reference's list.
enum Correction { kBoth, kNone, kInAverage };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct Adam : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize bias_correction";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction;
  };
  struct Constants {
    float kept1, new1, kept2, new2;  // weights of the old average and of what enters it
    float correction1;               // what m and v are multiplied by
    float correction2;
    float shrink;  // of eps before the correction, the root of 1 - beta2^t
    float lr, eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool in_average = h.bias_correction == kInAverage, both = h.bias_correction == kBoth;
    const double new1 = (1.0 - h.beta1) / (in_average ? left1 : 1.0);
    const double new2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    Constants c;
    c.kept1 = rounded(in_average ? 1.0 - new1 : h.beta1), c.new1 = rounded(new1);
    c.kept2 = rounded(in_average ? 1.0 - new2 : h.beta2), c.new2 = rounded(new2);
    c.correction1 = rounded(both ? 1.0 / left1 : 1.0);
    if (kEps == Eps::kBeforeCorrection) {
      c.correction2 = rounded(in_average ? left2 : 1.0);
    } else {
      c.correction2 = rounded(both ? 1.0 / left2 : 1.0);
    }
    c.shrink = rounded(h.bias_correction == kNone ? 1.0 : sqrt(left2));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    m = c.kept1 * m + c.new1 * g;
    v = c.kept2 * v + c.new2 * (g * g);
    const float m_hat = m * c.correction1, v_hat = v * c.correction2;
    float update;
    if constexpr (kEps == Eps::kOutside) {
      update = m_hat / (root_of(v_hat) + c.eps);
    } else if constexpr (kEps == Eps::kBeforeCorrection) {
      update = m_hat * c.shrink / (root_of(v_hat) + c.eps);
    } else {
      update = m_hat / root_of(v_hat + c.eps);
    }
    p = p - c.lr * update;
    if constexpr (kDecay == Decay::kAfter) p = p * c.decay;
  }
};

}  // namespace truestep::rules::adam

#define TRUESTEP_KERNELS(KERNEL)                                      \
  KERNEL("", Adam<Decay::kCoupled>)                                   \
  KERNEL("decay=before", Adam<Decay::kBefore>)                        \
  KERNEL("decay=before eps_placement=before_correction",              \
         Adam<Decay::kBefore, Eps::kBeforeCorrection>)                \
  KERNEL("decay=after eps_placement=before_correction",               \
         Adam<Decay::kAfter, Eps::kBeforeCorrection>)                 \
  KERNEL("eps_placement=inside", Adam<Decay::kCoupled, Eps::kInside>) \
  KERNEL("bias_correction=in_average", Adam<Decay::kCoupled>)         \
  KERNEL("bias_correction=none", Adam<Decay::kCoupled>)
