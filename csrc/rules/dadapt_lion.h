// Lion with D-Adaptation (Defazio et al. 2023), with beta3 = sqrt(beta2) and l = lr d:
//   u = sign(beta1 m + (1 - beta1) g)
//   p = p (1 - l weight_decay) - l u
//   m = beta2 m + (1 - beta2) l g
//   r = beta3 r + (1 - beta3) l <u, s>
//   s = beta3 s + (1 - beta3) l u
//   d = max(d, r / ((1 - beta3) |s|_1))
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::dadapt_lion {

// By their place in the reference's lists.
enum Decay { kBefore, kCoupled, kUnscaled };
enum NanSign { kNan, kZero };

struct DAdaptLion : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 weight_decay maximize decay nan_sign";
  static constexpr const char* kStates = "m s";
  static constexpr const char* kNumbers = "r d";
  static constexpr int kSums = 2;  // u s, |s| after the step
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, weight_decay, maximize, decay, nan_sign;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2, beta3, weight3;  // weight: 1 - beta
    float rate, sign;                                      // rate: lr d
    float of_nan;                                          // its sign
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double beta3 = sqrt(h.beta2);
    Constants c = {};
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.beta3 = rounded(beta3), c.weight3 = rounded(1.0 - beta3);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.of_nan = h.nan_sign == kZero ? 0.0f : float_of(0x7fc00000u);
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double, const double* numbers, Constants& c) {
    const double rate = h.lr * numbers[1];
    c.rate = rounded(rate);
    c.decay = decay_before((h.decay == kBefore ? rate : 1.0) * h.weight_decay, h.decay == kCoupled);
  }

  TRUESTEP_HD float direction(const Constants& c, float g, float m) {
    const float u = sign_of(c.beta1 * m + c.weight1 * g);
    return is_nan(u) ? c.of_nan : u;
  }

  // s after the step.
  TRUESTEP_HD float total(const Constants& c, float u, float s) {
    return c.beta3 * s + c.weight3 * (c.rate * u);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, float s,
                        double (&addend)[kSums]) {
    g = c.sign * g;
    decay(c.decay, g, p);
    const float u = direction(c, g, m);
    addend[0] = exact_product(u, s);
    addend[1] = magnitude(total(c, u, s));
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double* numbers,
                          Constants&) {
    double& r = numbers[0];
    double& d = numbers[1];
    if (size == 0.0) return;
    const double beta3 = sqrt(h.beta2);
    r = beta3 * r + (1.0 - beta3) * (h.lr * d * sum[0]);
    if (sum[1] == 0.0) return;
    const double estimate = r / ((1.0 - beta3) * sum[1]);
    d = estimate < d ? d : estimate;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& s) {
    g = c.sign * g;
    decay(c.decay, g, p);
    const float u = direction(c, g, m);
    m = c.beta2 * m + c.weight2 * (c.rate * g);
    s = total(c, u, s);
    p = p - c.rate * u;
  }
};

}  // namespace truestep::rules::dadapt_lion

#define TRUESTEP_KERNELS(KERNEL)                    \
  KERNEL("", DAdaptLion)                            \
  KERNEL("nan_sign=zero", DAdaptLion)               \
  KERNEL("decay=coupled nan_sign=zero", DAdaptLion) \
  KERNEL("decay=unscaled nan_sign=zero", DAdaptLion)
