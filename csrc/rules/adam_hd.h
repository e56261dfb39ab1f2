// Adam-HD (Baydin et al. 2018), of g + weight_decay p as g:
//   rate = rate + hypergrad_lr <g, u>, but for the first step
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p - rate u
// The last step's u is made again of m and v: one pass reads and a second one writes.
#pragma once

#include "rule.h"

namespace truestep::rules::adam_hd {

// By their place in the reference's list.
enum Eps { kOutside, kBeforeCorrection };

struct AdamHd : Elementwise {
  static constexpr const char* kHyper =
      "lr hypergrad_lr beta1 beta2 eps weight_decay maximize eps_placement";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kNumbers = "rate";
  static constexpr int kSums = 1;  // g u
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, hypergrad_lr, beta1, beta2, eps, weight_decay, maximize, eps_placement;
  };
  // What m, with both corrections before eps, and v are multiplied by.
  struct Corrections {
    float of_m, of_v;
  };
  struct Constants {
    Corrections last, now;
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float rate, eps, decay, sign;
  };

  // Of step t; before the first one there is nothing to correct.
  TRUESTEP_HD Corrections corrections(const Hyper& h, double t) {
    if (t < 1.0) return {1.0f, 1.0f};
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    if (h.eps_placement == kOutside) return {rounded(1.0 / left1), rounded(1.0 / left2)};
    return {rounded(sqrt(left2) / left1), 1.0f};
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c = {};
    c.last = corrections(h, t - 1.0), c.now = corrections(h, t);
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.eps = rounded(h.eps), c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD float gradient(const Constants& c, float g, float p) {
    return c.sign * g + c.decay * p;
  }

  TRUESTEP_HD float direction(const Constants& c, const Corrections& by, float m, float v) {
    return m * by.of_m / (root_of(v * by.of_v) + c.eps);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, float v,
                        double (&addend)[kSums]) {
    addend[0] = exact_product(gradient(c, g, p), direction(c, c.last, m, v));
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* rate,
                          Constants& c) {
    if (t > 1.0) *rate = *rate + h.hypergrad_lr * sum[0];
    c.rate = rounded(*rate);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = gradient(c, g, p);
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    p = p - c.rate * direction(c, c.now, m, v);
  }
};

}  // namespace truestep::rules::adam_hd

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", AdamHd)             \
  KERNEL("eps_placement=before_correction", AdamHd)
