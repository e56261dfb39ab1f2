// SPAM (Huang et al. 2025), of a gradient whose spikes are cut:
//   m = v = 0 every reset steps
//   g = sign(g) sqrt(threshold v) where g^2 > threshold v, once the steps are calm
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   p = (p - lr share m / (1 - beta1^t) sqrt(1 - beta2^t) / (sqrt(v) + eps)) (1 - lr weight_decay)
// where the share of the rate grows over the first steps after a reset.
#pragma once

#include "rule.h"

namespace truestep::rules::spam {

struct Spam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps threshold reset warmup calm weight_decay maximize";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, threshold, reset, warmup, calm, weight_decay, maximize;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float threshold;
    float rate;       // lr share
    float corrected;  // both corrections
    float eps, sign, decay;
    bool forgets, cuts;
  };

  // What of the rate step t takes, the n-th since the moments were forgotten.
  TRUESTEP_HD double share_of(const Hyper& h, double t, double n) {
    constexpr double kPi = 3.14159265358979323846;
    if (t < h.reset || n >= h.warmup) return 1.0;
    return 1.0 - 0.99 * (1.0 + cos(kPi * (n + 1.0) / (h.warmup + 1.0))) / 2.0;
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double n = fmod(t, h.reset);
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.threshold = rounded(h.threshold);
    c.rate = rounded(h.lr * share_of(h, t, n));
    c.corrected = rounded(sqrt(1.0 - pow(h.beta2, t)) / (1.0 - pow(h.beta1, t)));
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(1.0 - h.lr * h.weight_decay);
    c.forgets = n == 0.0;
    // n is at most t.
    c.cuts = h.threshold > 0.0 && n >= h.calm;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    const float old_m = c.forgets ? 0.0f : m, old_v = c.forgets ? 0.0f : v;
    const float limit = c.threshold * old_v, size = root_of(limit);
    const float cut = g < 0.0f ? -size : size;
    g = c.cuts && g * g > limit ? cut : g;
    m = c.beta1 * old_m + c.weight1 * g;
    v = c.beta2 * old_v + c.weight2 * (g * g);
    p = (p - c.rate * (c.corrected * (m / (root_of(v) + c.eps)))) * c.decay;
  }
};

}  // namespace truestep::rules::spam

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", Spam)
