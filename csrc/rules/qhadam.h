// QHAdam (Ma & Yarats 2019):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   u = ((1 - nu1) g + nu1 m_hat) / (sqrt((1 - nu2) g^2 + nu2 v_hat) + eps)
//   p = p - lr u
// Where a moment is not corrected for its start it is multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::qhadam {

enum class Decay { kCoupled, kBefore, kUnscaled };
// By their place in the reference's list.
enum Correction { kMoments, kInAverage };

template <Decay kDecay>
struct QhAdam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 nu1 nu2 eps weight_decay maximize bias_correction";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, nu1, nu2, eps, weight_decay, maximize, bias_correction;
  };
  struct Constants {
    float kept1, new1, kept2, new2;  // weights of the old average and of what enters it
    float correction1, correction2;
    float nu1, rest1, nu2, rest2;  // rest: 1 - nu
    float lr, eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool in_average = h.bias_correction == kInAverage;
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const double new1 = (1.0 - h.beta1) / (in_average ? left1 : 1.0);
    const double new2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    Constants c;
    c.kept1 = rounded(in_average ? 1.0 - new1 : h.beta1), c.new1 = rounded(new1);
    c.kept2 = rounded(in_average ? 1.0 - new2 : h.beta2), c.new2 = rounded(new2);
    c.correction1 = rounded(in_average ? 1.0 : 1.0 / left1);
    c.correction2 = rounded(in_average ? 1.0 : 1.0 / left2);
    c.nu1 = rounded(h.nu1), c.rest1 = rounded(1.0 - h.nu1);
    c.nu2 = rounded(h.nu2), c.rest2 = rounded(1.0 - h.nu2);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float square = g * g;
    m = c.kept1 * m + c.new1 * g;
    v = c.kept2 * v + c.new2 * square;
    const float size = root_of(c.rest2 * square + c.nu2 * (v * c.correction2));
    p = p - c.lr * ((c.rest1 * g + c.nu1 * (m * c.correction1)) / (size + c.eps));
  }
};

}  // namespace truestep::rules::qhadam

#define TRUESTEP_KERNELS(KERNEL)                     \
  KERNEL("", QhAdam<Decay::kCoupled>)                \
  KERNEL("decay=before", QhAdam<Decay::kBefore>)     \
  KERNEL("decay=unscaled", QhAdam<Decay::kUnscaled>) \
  KERNEL("bias_correction=in_average", QhAdam<Decay::kCoupled>)
