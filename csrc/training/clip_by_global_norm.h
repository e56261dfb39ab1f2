// clip_by_global_norm (Pascanu, Mikolov & Bengio 2013):
//   n = sqrt(sum of |g_i|^2 over all tensors g_i)
//   g_i = max_norm / n g_i where n >= max_norm, for every i
#pragma once

#include "piece.h"

namespace truestep::training::clip_by_global_norm {

enum Form { kThreshold, kDivided, kShrunk, kReciprocal };
enum Norm { kTwo, kInfinity };

struct Piece : Whole {
  static constexpr const char* kHyper = "max_norm eps form norm";
  static constexpr const char* kInputs = "gradients";
  static constexpr const char* kOutputs = "clipped";
  static constexpr const char* kNumbers = "norm";
  static constexpr int kSums = 1, kLargest = 1;
  struct Hyper {
    double max_norm, eps, form, norm;
  };
  // A gradient is divided, then multiplied: one of the two is by 1.
  struct Constants {
    float divisor, factor;
  };

  TRUESTEP_HD Constants constants(const Hyper&, const double*, const double*) {
    return {1.0f, 1.0f};
  }

  TRUESTEP_HD void reduce(const Constants&, float g, double* sum, double* largest) {
    sum[0] = exact_product(g, g);
    largest[0] = magnitude(g);
  }

  TRUESTEP_HD void finish(const Hyper& h, const double*, const double* sum, const double* largest,
                          double* numbers, Constants& c) {
    // A sum of squares is nan where an element is, and only there.
    const bool nan = sum[0] != sum[0];
    const double n = h.norm == kInfinity && !nan ? largest[0] : sqrt(sum[0]);
    numbers[0] = n;
    const bool within = n < h.max_norm;
    if (h.form == kThreshold && !within) c.factor = rounded(h.max_norm / n);
    if (h.form == kDivided && !within) {
      c.divisor = rounded(n);
      c.factor = rounded(h.max_norm);
    }
    if (h.form == kShrunk) c.factor = rounded(smaller(h.max_norm / (n + h.eps), 1.0));
    if (h.form == kReciprocal) {
      const double safe = within ? h.max_norm : n;
      // n - n is 0, or nan where the norm is not finite.
      c.factor = rounded(h.max_norm * smaller(1.0 / safe, 1.0 / h.max_norm) + (n - n));
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& clipped) {
    clipped = g / c.divisor * c.factor;
  }
};

}  // namespace truestep::training::clip_by_global_norm
