// SGD with Polyak's step (Loizou et al. 2021), of the function's value f:
//   step = min((f - f_min) / (norm(g)^2 + eps), max_step)
//   p = p - lr step g
#pragma once

#include "rule.h"

namespace truestep::rules::polyak_sgd {

// By their place in the reference's lists.
enum Gap { kSigned, kPositive };
enum Guard { kZero, kSmall };
enum Norm { kGradient, kStep };

struct PolyakSgd : Elementwise {
  static constexpr const char* kHyper = "lr max_step f_min eps gap guard norm";
  static constexpr const char* kStates = "";
  static constexpr const char* kNumbers = "value";
  static constexpr int kSums = 1;  // g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, max_step, f_min, eps, gap, guard, norm;
  };
  struct Constants {
    float lr, step;
    float measured;  // what g is multiplied by in the norm
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr), c.step = 0.0f;
    c.measured = rounded(h.norm == kStep ? h.lr : 1.0);
    return c;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float, double (&addend)[kSums]) {
    const float measured = c.measured * g;
    addend[0] = exact_product(measured, measured);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* value,
                          Constants& c) {
    const double size = sum[0] + h.eps;
    double gap = *value - h.f_min;
    if (h.gap == kPositive && gap < 0.0) gap = 0.0;
    const bool still = h.guard == kSmall ? size <= 0x1p-52 : size == 0.0;
    const double step = gap / size;
    c.step = rounded(still ? 0.0 : step > h.max_step ? h.max_step : step);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) { p = p - c.lr * (c.step * g); }
};

}  // namespace truestep::rules::polyak_sgd

#define TRUESTEP_KERNELS(KERNEL)             \
  KERNEL("", PolyakSgd)                      \
  KERNEL("gap=positive", PolyakSgd)          \
  KERNEL("guard=small norm=step", PolyakSgd) \
  KERNEL("gap=positive guard=small norm=step", PolyakSgd)
