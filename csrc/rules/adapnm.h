// AdaPNM (Xie et al. 2021), of the last average m and the one before it:
//   new = beta1^2 previous + (1 - beta1^2) g,  v = beta2 v + (1 - beta2) g^2
//   v_max = max(v_max, v)
//   mean = ((1 + beta0) new - beta0 m) / sqrt((1 + beta0)^2 + beta0^2)
//   p = p - lr / (1 - beta1^t) mean / (sqrt(v_max / (1 - beta2^t)) + eps)
//   m, previous = new, m
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::adapnm {

enum class Maximum { kKept, kNone };
// By their place in the reference's lists.
enum Decay { kBefore, kCoupled, kUnscaled };
enum Eps { kOutside, kBeforeCorrection };

template <Maximum kMaximum = Maximum::kKept>
struct AdaPnm : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 beta0 eps weight_decay maximize decay eps_placement";
  static constexpr const char* kStates =
      kMaximum == Maximum::kKept ? "m previous v v_max" : "m previous v";
  struct Hyper {
    double lr, beta1, beta2, beta0, eps, weight_decay, maximize, decay, eps_placement;
  };
  struct Constants {
    float kept, weight, beta2, weight2;         // of what was kept and of what enters
    float positive, negative, reciprocal_size;  // of the two averages
    float correction2;                          // what v is multiplied by
    float after;            // what the quotient is, of eps before the correction
    float rate, eps, sign;  // rate: lr / (1 - beta1^t)
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double kept = h.beta1 * h.beta1, positive = 1.0 + h.beta0;
    const double left2 = 1.0 - pow(h.beta2, t);
    const bool outside = h.eps_placement == kOutside;
    Constants c;
    c.kept = rounded(kept), c.weight = rounded(1.0 - kept);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.positive = rounded(positive), c.negative = rounded(h.beta0);
    c.reciprocal_size = rounded(1.0 / sqrt(positive * positive + h.beta0 * h.beta0));
    c.correction2 = rounded(outside ? 1.0 / left2 : 1.0);
    c.after = rounded(outside ? 1.0 : sqrt(left2));
    c.rate = rounded(h.lr / (1.0 - pow(h.beta1, t))), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  // The parameter's way, m and previous being refreshed; root: what the mean is divided by.
  TRUESTEP_HD float way(const Constants& c, float g, float root, float& m, float& previous) {
    const float last = m;
    m = c.kept * previous + c.weight * g;
    previous = last;
    const float mean = (c.positive * m - c.negative * last) * c.reciprocal_size;
    return c.rate * (mean * c.after / root);
  }

  TRUESTEP_HD float second(const Constants& c, float g, float v) {
    return c.beta2 * v + c.weight2 * (g * g);
  }

  TRUESTEP_HD float root(const Constants& c, float largest) {
    return root_of(largest * c.correction2) + c.eps;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& previous,
                           float& v) {
    g = c.sign * g;
    decay(c.decay, g, p);
    v = second(c, g, v);
    p = p - way(c, g, root(c, v), m, previous);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& previous,
                           float& v, float& v_max) {
    g = c.sign * g;
    decay(c.decay, g, p);
    v = second(c, g, v);
    v_max = larger(v_max, v);
    p = p - way(c, g, root(c, v_max), m, previous);
  }
};

}  // namespace truestep::rules::adapnm

#define TRUESTEP_KERNELS(KERNEL)                                     \
  KERNEL("", AdaPnm<>)                                               \
  KERNEL("eps_placement=before_correction", AdaPnm<>)                \
  KERNEL("decay=coupled eps_placement=before_correction", AdaPnm<>)  \
  KERNEL("decay=unscaled eps_placement=before_correction", AdaPnm<>) \
  KERNEL("maximum=none", AdaPnm<Maximum::kNone>)                     \
  KERNEL("eps_placement=before_correction maximum=none", AdaPnm<Maximum::kNone>)
