// clip_by_value: g = min(max(g, -max_value), max_value)
#pragma once

#include "piece.h"

namespace truestep::training::clip_by_value {

struct Piece : Whole {
  static constexpr const char* kHyper = "max_value";
  static constexpr const char* kInputs = "gradients";
  static constexpr const char* kOutputs = "clipped";
  struct Hyper {
    double max_value;
  };
  struct Constants {
    float max_value;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, const double*, const double*) {
    return {rounded(h.max_value)};
  }

  TRUESTEP_HD void finish(const Hyper&, const double*, const double*, const double*, double*,
                          Constants&) {}

  TRUESTEP_HD void element(const Constants& c, float g, float& clipped) {
    // Neither comparison holds of nan.
    const float raised = g < -c.max_value ? -c.max_value : g;
    clipped = raised > c.max_value ? c.max_value : raised;
  }
};

}  // namespace truestep::training::clip_by_value
