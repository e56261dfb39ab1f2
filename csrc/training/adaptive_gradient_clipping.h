// adaptive_gradient_clipping (Brock et al. 2021):
//   limit_i = clipping max(|W_i|, eps) for every unit i
//   G_i = limit_i / |G_i| G_i where |G_i| >= limit_i
#pragma once

#include "piece.h"

namespace truestep::training::adaptive_gradient_clipping {

enum Clips { kUnlessBelow, kAbove };

struct Piece : Units {
  static constexpr const char* kHyper = "clipping eps floor clips";
  static constexpr const char* kInputs = "params gradients";
  static constexpr const char* kOutputs = "clipped";
  static constexpr int kSums = 2;  // p^2, g^2
  struct Hyper {
    double clipping, eps, floor, clips;
  };
  struct Constants {
    float factor;
  };

  TRUESTEP_HD void reduce(float p, float g, double* sum, double*) {
    sum[0] = exact_product(p, p);
    sum[1] = exact_product(g, g);
  }

  TRUESTEP_HD Constants finish(const Hyper& h, const double*, const double* sum) {
    const double limit = h.clipping * larger(sqrt(sum[0]), h.eps);
    const double norm = sqrt(sum[1]), raised = larger(norm, h.floor);
    const bool kept = h.clips == kAbove ? !(raised > limit) : norm < limit;
    return {kept ? 1.0f : rounded(limit / raised)};
  }

  TRUESTEP_HD void element(const Constants& c, float, float g, float& clipped) {
    clipped = g * c.factor;
  }
};

}  // namespace truestep::training::adaptive_gradient_clipping
