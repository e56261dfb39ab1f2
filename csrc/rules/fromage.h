// Fromage (Bernstein et al. 2020):
//   p = (p - lr g norm(p) / norm(g)) / sqrt(1 + lr^2)
// Where a norm is zero their quotient counts as 1.
#pragma once

#include "rule.h"

namespace truestep::rules::fromage {

// By their place in the reference's list.
enum Guard { kZero, kPositive };

struct Fromage : Elementwise {
  static constexpr const char* kHyper = "lr maximize guard";
  static constexpr const char* kStates = "";
  static constexpr int kSums = 2;  // p^2, g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, maximize, guard;
  };
  struct Constants {
    float lr, sign;
    float ratio;   // of the norms
    float shrink;  // 1 / sqrt(1 + lr^2)
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.ratio = 1.0f;
    c.shrink = rounded(1.0 / sqrt(1.0 + h.lr * h.lr));
    return c;
  }

  TRUESTEP_HD void sums(const Constants&, float g, float p, double (&addend)[kSums]) {
    addend[0] = exact_product(p, p);
    addend[1] = exact_product(g, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double*,
                          Constants& c) {
    const bool still =
        h.guard == kPositive ? !(sum[0] > 0.0 && sum[1] > 0.0) : sum[0] == 0.0 || sum[1] == 0.0;
    c.ratio = rounded(still ? 1.0 : sqrt(sum[0]) / sqrt(sum[1]));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    p = (p - c.lr * (c.ratio * (c.sign * g))) * c.shrink;
  }
};

}  // namespace truestep::rules::fromage

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Fromage)            \
  KERNEL("guard=positive", Fromage)
