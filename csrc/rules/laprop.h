// LaProp (Ziyin, Wang & Ueda 2020):
//   v = beta2 v + (1 - beta2) g^2
//   m = beta1 m + (1 - beta1) g / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p (1 - lr weight_decay) - lr m / (1 - beta1^t)
// Where an average is not corrected for its start it is multiplied by 1, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::laprop {

enum class Decay { kBefore, kAfter };
enum class Eps { kOutside, kBeforeCorrection, kFloor };
// By their place in the reference's lists.
enum Correction { kMoments, kInAverage };
enum Rate { kOutsideOfAverage, kInside };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct LaProp : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay maximize bias_correction rate";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction, rate;
  };
  struct Constants {
    float kept1, new1, kept2, new2;  // weights of the old average and of what enters it
    float correction2;               // of v, or of its root where eps comes before it
    float inside, outside;           // what multiplies the normalized gradient and its average
    float eps, sign;
    float decay;  // what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool in_average = h.bias_correction == kInAverage;
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const double new1 = (1.0 - h.beta1) / (in_average ? left1 : 1.0);
    const double new2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    Constants c;
    c.kept1 = rounded(in_average ? 1.0 - new1 : h.beta1), c.new1 = rounded(new1);
    c.kept2 = rounded(in_average ? 1.0 - new2 : h.beta2), c.new2 = rounded(new2);
    c.correction2 = rounded(kEps == Eps::kBeforeCorrection ? (in_average ? left2 : 1.0)
                            : in_average                   ? 1.0
                                                           : 1.0 / left2);
    const double rate = (h.rate == kInside ? h.lr : 1.0);
    c.inside = rounded(kEps == Eps::kBeforeCorrection ? rate * sqrt(left2) : rate);
    c.outside = rounded((h.rate == kInside ? 1.0 : h.lr) / (in_average ? 1.0 : left1));
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(1.0 - h.lr * h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    v = c.kept2 * v + c.new2 * (g * g);
    const float root = root_of(v * c.correction2);
    const float divisor = kEps == Eps::kFloor ? larger(root, c.eps) : root + c.eps;
    m = c.kept1 * m + c.new1 * (c.inside * (g / divisor));
    const float step = c.outside * m;
    p = kDecay == Decay::kBefore ? p * c.decay - step : (p - step) * c.decay;
  }
};

}  // namespace truestep::rules::laprop

#define TRUESTEP_KERNELS(KERNEL)                                    \
  KERNEL("", LaProp<Decay::kBefore>)                                \
  KERNEL("decay=after eps_placement=before_correction rate=inside", \
         LaProp<Decay::kAfter, Eps::kBeforeCorrection>)             \
  KERNEL("bias_correction=in_average eps_placement=floor", LaProp<Decay::kBefore, Eps::kFloor>)
