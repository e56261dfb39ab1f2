// StableAdamW (Wortsman et al. 2023), with weights that make m and v the corrected averages:
//   new_i = (1 - beta_i) / (1 - beta_i^t)
//   m = (1 - new_1) m + new_1 g,  v = (1 - new_2) v + new_2 g^2
//   eta = lr / max(1, sqrt(mean(g^2 / max(v, eps^2))) / clip_threshold)
//   p = p (1 - eta weight_decay) - eta m / (sqrt(v) + eps)
#pragma once

#include "rule.h"

namespace truestep::rules::stable_adamw {

enum class Rms { kFloor, kDenominator };
// A choice of the constants alone, by its place in the reference's list.
enum Decay { kClipped, kLr };

template <Rms kRms = Rms::kFloor>
struct StableAdamW : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay clip_threshold maximize decay";
  static constexpr const char* kStates = "m v";
  static constexpr int kSums = 1;  // what the mean is of
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, clip_threshold, maximize, decay;
  };
  struct Constants {
    float kept1, new1;  // new1 is negated when maximizing
    float kept2, new2;
    float eps, squared_eps;
    float eta;
    float decay;  // what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double new1 = (1.0 - h.beta1) / (1.0 - pow(h.beta1, t));
    const double new2 = (1.0 - h.beta2) / (1.0 - pow(h.beta2, t));
    Constants c = {};
    c.kept1 = rounded(1.0 - new1), c.new1 = rounded(h.maximize != 0.0 ? -new1 : new1);
    c.kept2 = rounded(1.0 - new2), c.new2 = rounded(new2);
    c.eps = rounded(h.eps);
    c.squared_eps = rounded(h.eps * h.eps);
    return c;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float, float, float v,
                        double (&addend)[kSums]) {
    v = c.kept2 * v + c.new2 * (g * g);
    if constexpr (kRms == Rms::kFloor) {
      addend[0] = g * g / larger(v, c.squared_eps);
    } else {
      const float quotient = g / (root_of(v) + c.eps);
      addend[0] = exact_product(quotient, quotient);
    }
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double*,
                          Constants& c) {
    const double excess = sqrt(sum[0] / size) / h.clip_threshold;
    const double eta = h.lr / (excess < 1.0 ? 1.0 : excess);
    c.eta = rounded(eta);
    c.decay = rounded(1.0 - (h.decay == kClipped ? eta : h.lr) * h.weight_decay);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    m = c.kept1 * m + c.new1 * g;
    v = c.kept2 * v + c.new2 * (g * g);
    p = p * c.decay - c.eta * (m / (root_of(v) + c.eps));
  }
};

}  // namespace truestep::rules::stable_adamw

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", StableAdamW<>)      \
  KERNEL("decay=lr rms=denominator", StableAdamW<Rms::kDenominator>)
