// Least mean squares (Widrow & Hoff 1960) of an example (g, response):
//   e = response - <p, g>
//   p = p + lr e g
#pragma once

#include "rule.h"

namespace truestep::rules::lms {

// Choices of the step's length alone, by their place in the reference's lists.
enum Loss { kHalfSquare, kSquare };
enum Normalization { kNone, kPower };

struct Lms : Elementwise {
  static constexpr const char* kHyper = "lr eps loss normalization";
  static constexpr const char* kStates = "";
  static constexpr const char* kNumbers = "response";
  static constexpr int kSums = 2;  // p g, g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, eps, loss, normalization;
  };
  struct Constants {
    float move;  // what g is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper&, double) { return {}; }

  TRUESTEP_HD void sums(const Constants&, float g, float p, double (&addend)[kSums]) {
    addend[0] = exact_product(p, g);
    addend[1] = exact_product(g, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* numbers,
                          Constants& c) {
    const double error = numbers[0] - sum[0];
    double move = (h.loss == kSquare ? 2.0 : 1.0) * h.lr * error;
    if (h.normalization == kPower) move = move / (h.eps + sum[1]);
    c.move = rounded(move);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) { p = p + c.move * g; }
};

}  // namespace truestep::rules::lms

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Lms)                \
  KERNEL("loss=square", Lms)     \
  KERNEL("normalization=power", Lms)
