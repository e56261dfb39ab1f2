// RAdam (Liu et al. 2020):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   rho_inf = 2 / (1 - beta2) - 1,  rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
//   r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
//   p = p - lr r m_hat / (sqrt(v_hat) + eps) if rho > 4, else p - lr m_hat
// Where a moment is not corrected for its start it is multiplied by 1, which rounds nothing.
#pragma once

#include "common/rectified.h"

namespace truestep::rules::radam {

enum class Decay { kCoupled, kBefore };
enum class Eps { kOutside, kBeforeCorrection };
// By their place in the reference's lists.
enum Correction { kMoments, kInAverage };
enum Unrectified { kMomentum, kStill };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct Radam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay maximize bias_correction threshold unrectified";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction, threshold, unrectified;
  };
  struct Constants {
    float kept1, new1, kept2, new2;  // weights of the old average and of what enters it
    float correction1;               // what m and v are multiplied by
    float correction2;
    float shrink;  // the root of 1 - beta2^t
    float r;
    float lr, eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
    bool adaptive, still;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool in_average = h.bias_correction == kInAverage;
    const double new1 = (1.0 - h.beta1) / (in_average ? left1 : 1.0);
    const double new2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    Constants c;
    c.kept1 = rounded(in_average ? 1.0 - new1 : h.beta1), c.new1 = rounded(new1);
    c.kept2 = rounded(in_average ? 1.0 - new2 : h.beta2), c.new2 = rounded(new2);
    c.correction1 = rounded(in_average ? 1.0 : 1.0 / left1);
    if (kEps == Eps::kBeforeCorrection) {
      c.correction2 = rounded(in_average ? left2 : 1.0);
    } else {
      c.correction2 = rounded(in_average ? 1.0 : 1.0 / left2);
    }
    c.shrink = rounded(sqrt(left2));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    const Rectified rectified = rules::rectified(h.beta2, t, h.threshold);
    c.adaptive = rectified.adaptive, c.r = rectified.r;
    c.still = !c.adaptive && h.unrectified == kStill;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    m = c.kept1 * m + c.new1 * g;
    v = c.kept2 * v + c.new2 * (g * g);
    const float m_hat = m * c.correction1;
    const float root = root_of(v * c.correction2) + c.eps;
    float adapted;
    if constexpr (kEps == Eps::kOutside) {
      adapted = m_hat / root;
    } else {
      adapted = m_hat * (c.shrink / root);
    }
    const float update = c.adaptive ? c.r * adapted : m_hat;
    float decayed = p;
    if constexpr (kDecay == Decay::kBefore) decayed = p * c.decay;
    p = c.still ? p : decayed - c.lr * update;
  }
};

}  // namespace truestep::rules::radam

#define TRUESTEP_KERNELS(KERNEL)                                                            \
  KERNEL("", Radam<Decay::kCoupled>)                                                        \
  KERNEL("eps_placement=before_correction threshold=above_5",                               \
         Radam<Decay::kCoupled, Eps::kBeforeCorrection>)                                    \
  KERNEL("decay=before eps_placement=before_correction threshold=above_5",                  \
         Radam<Decay::kBefore, Eps::kBeforeCorrection>)                                     \
  KERNEL("threshold=from_5", Radam<Decay::kCoupled>)                                        \
  KERNEL("decay=before eps_placement=before_correction threshold=from_5",                   \
         Radam<Decay::kBefore, Eps::kBeforeCorrection>)                                     \
  KERNEL("decay=before eps_placement=before_correction threshold=from_5 unrectified=still", \
         Radam<Decay::kBefore, Eps::kBeforeCorrection>)                                     \
  KERNEL("eps_placement=before_correction threshold=from_5 unrectified=still",              \
         Radam<Decay::kCoupled, Eps::kBeforeCorrection>)                                    \
  KERNEL("bias_correction=in_average threshold=above_5", Radam<Decay::kCoupled>)
