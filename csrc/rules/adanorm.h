// AdaNorm (Dubey et al. 2022):
//   e = r e + (1 - r) norm(g)
//   s = (e / norm(g)) g where e exceeds the norm, else g
//   m = beta1 m + (1 - beta1) s,  v = beta2 v + (1 - beta2) g^2
//   p = p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
// The norm is of what the tensors hold before the step, so one pass reads and a second one writes.
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::adanorm {

// By their place in the reference's lists.
enum Decay { kBefore, kCoupled, kUnscaled };
enum Eps { kOutside, kBeforeCorrection };

struct AdaNorm : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 r eps weight_decay maximize decay eps_placement";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kNumbers = "e";
  static constexpr int kSums = 1;  // g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, r, eps, weight_decay, maximize, decay, eps_placement;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1;  // what m is multiplied by, with both corrections before eps
    float correction2;  // what v is multiplied by
    float longer;       // what g is multiplied by where it enters m
    float lr, eps, sign;
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool outside = h.eps_placement == kOutside;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded((outside ? 1.0 : sqrt(left2)) / left1);
    c.correction2 = rounded(outside ? 1.0 / left2 : 1.0);
    c.longer = 1.0f;
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float,
                        double (&addend)[kSums]) {
    g = c.sign * g;
    decay(c.decay, g, p);
    addend[0] = exact_product(g, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* e,
                          Constants& c) {
    const double norm = sqrt(sum[0]);
    *e = h.r * *e + (1.0 - h.r) * norm;
    c.longer = rounded(norm > 0.0 && *e > norm ? *e / norm : 1.0);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    decay(c.decay, g, p);
    m = c.beta1 * m + c.weight1 * (c.longer * g);
    v = c.beta2 * v + c.weight2 * (g * g);
    p = p - c.lr * (m * c.correction1 / (root_of(v * c.correction2) + c.eps));
  }
};

}  // namespace truestep::rules::adanorm

#define TRUESTEP_KERNELS(KERNEL)                                   \
  KERNEL("", AdaNorm)                                              \
  KERNEL("decay=coupled eps_placement=before_correction", AdaNorm) \
  KERNEL("eps_placement=before_correction", AdaNorm)               \
  KERNEL("decay=unscaled eps_placement=before_correction", AdaNorm)
