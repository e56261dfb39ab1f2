// Adam with D-Adaptation (Defazio & Mishchenko 2023), with beta3 = sqrt(beta2) and l = lr d:
//   r = beta3 r + (1 - beta3) l <g, s / (sqrt(v) + eps)>
//   m = beta1 m + (1 - beta1) l g,  v = beta2 v + (1 - beta2) g^2
//   s = beta3 s + (1 - beta3) l g
//   d = max(d, r / ((1 - beta3) |s|_1))
//   p = p (1 - l weight_decay) - m / (sqrt(v) + eps), by the old d
#pragma once

#include "common/decay_before.h"
#include "common/distance.h"

namespace truestep::rules::dadapt_adam {

// By their place in the reference's lists.
enum Correction { kNone, kRate };
enum Decay { kBefore, kCoupled, kInStep, kUnscaled };
enum Guard { kSkip, kUnguarded };

struct DAdaptAdam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay growth_rate maximize bias_correction decay growth guard "
      "nan_estimate";
  static constexpr const char* kStates = "m v s";
  static constexpr const char* kNumbers = "r d";
  static constexpr int kSums = 2;  // g s / (sqrt(v) + eps), |s|
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, growth_rate, maximize, bias_correction, decay,
        growth, guard, nan_estimate;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2, beta3, weight3;  // weight: 1 - beta
    float rate, eps, sign;                                 // rate: lr d
    float pull;                                            // what of p is in one sum with the step
    bool still;                                            // the step leaves p as it is
    DecayBefore decay;
  };

  TRUESTEP_HD double rate(const Hyper& h, double t, double d) {
    if (h.bias_correction == kNone) return h.lr * d;
    return h.lr * d * (sqrt(1.0 - pow(h.beta2, t)) / (1.0 - pow(h.beta1, t)));
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double beta3 = sqrt(h.beta2);
    Constants c = {};
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.beta3 = rounded(beta3), c.weight3 = rounded(1.0 - beta3);
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double t, const double* numbers, Constants& c) {
    const double l = rate(h, t, numbers[1]);
    c.rate = rounded(l);
    c.pull = rounded(h.decay == kInStep ? l * h.weight_decay : 0.0);
    const double before = h.decay == kBefore ? l : h.decay == kInStep ? 0.0 : 1.0;
    c.decay = decay_before(before * h.weight_decay, h.decay == kCoupled);
  }

  // s after the step.
  TRUESTEP_HD float total(const Constants& c, float g, float s) {
    return c.beta3 * s + c.weight3 * (c.rate * g);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float v, float s,
                        double (&addend)[kSums]) {
    g = c.sign * g;
    decay(c.decay, g, p);
    addend[0] = exact_product(g, s / (root_of(v) + c.eps));
    addend[1] = magnitude(total(c, g, s));
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double size, const double* sum, double* numbers,
                          Constants& c) {
    double& r = numbers[0];
    double& d = numbers[1];
    c.still = h.guard == kSkip && sum[1] == 0.0;
    if (size == 0.0 || c.still) return;
    const double beta3 = sqrt(h.beta2);
    r = beta3 * r + (1.0 - beta3) * (rate(h, t, d) * sum[0]);
    d = grown({h.growth_rate, h.growth, h.nan_estimate}, r / ((1.0 - beta3) * sum[1]), d);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v, float& s) {
    const float before = p;
    g = c.sign * g;
    decay(c.decay, g, p);
    m = c.beta1 * m + c.weight1 * (c.rate * g);
    v = c.beta2 * v + c.weight2 * (g * g);
    s = total(c, g, s);
    const float u = m / (root_of(v) + c.eps);
    const float moved = p - (c.pull != 0.0f ? c.pull * p + u : u);
    p = c.still ? before : moved;
  }
};

}  // namespace truestep::rules::dadapt_adam

#define TRUESTEP_KERNELS(KERNEL)                                                 \
  KERNEL("", DAdaptAdam)                                                         \
  KERNEL("nan_estimate=ignored", DAdaptAdam)                                     \
  KERNEL("decay=coupled nan_estimate=ignored", DAdaptAdam)                       \
  KERNEL("decay=unscaled nan_estimate=ignored", DAdaptAdam)                      \
  KERNEL("bias_correction=rate growth=limited nan_estimate=ignored", DAdaptAdam) \
  KERNEL("bias_correction=rate decay=in_step guard=none", DAdaptAdam)
