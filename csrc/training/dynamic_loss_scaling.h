// dynamic_loss_scaling (Micikevicius et al. 2018):
//   the gradients are divided by scale
//   some element of a quotient not finite: skip the step, scale = scale backoff, good = 0
//   otherwise: step with the quotients, good = good + 1;
//   when good = window: scale = scale growth, good = 0
// The optimizer that it skips or lets step is SGD with momentum, as in the reference.
#pragma once

#include "piece.h"

namespace truestep::training::dynamic_loss_scaling {

enum Restored { kAtGrowth, kAtOnce };

constexpr float kRate = 0.125f, kMomentum = 0.5f;

struct Piece : Whole {
  static constexpr const char* kHyper =
      "growth backoff window hysteresis min_scale max_scale restored";
  static constexpr const char* kInputs = "gradients params moments";
  static constexpr const char* kOutputs = "params moments";
  static constexpr const char* kNumbers = "t scale good patience";
  static constexpr const char* kFlags = "skipped";
  static constexpr int kSums = 1;  // quotients that are not finite
  struct Hyper {
    double growth, backoff, window, hysteresis, min_scale, max_scale, restored;
  };
  struct Constants {
    float scale;
    bool skipped;
  };

  TRUESTEP_HD Constants constants(const Hyper&, const double*, const double* numbers) {
    return {rounded(numbers[1]), false};
  }

  TRUESTEP_HD void reduce(const Constants& c, float g, float, float, double* sum, double*) {
    sum[0] = is_number(g / c.scale) ? 0.0 : 1.0;
  }

  TRUESTEP_HD void finish(const Hyper& h, const double*, const double* sum, const double*,
                          double* numbers, Constants& c) {
    double& t = numbers[0];
    double& scale = numbers[1];
    double& good = numbers[2];
    double& patience = numbers[3];
    c.skipped = sum[0] > 0.0;
    numbers[4] = c.skipped ? 1.0 : 0.0;
    t += 1.0;
    good = c.skipped ? 0.0 : good + 1.0;
    if (c.skipped && patience > 1.0) {
      patience -= 1.0;
    } else if (c.skipped) {
      scale = larger(scale * h.backoff, h.min_scale);
    } else if (good < h.window) {
      if (h.restored == kAtOnce) patience = h.hysteresis;
    } else {
      if (scale * h.growth <= h.max_scale) scale = scale * h.growth;
      good = 0.0;
      patience = h.hysteresis;
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float p, float m, float& new_p,
                           float& new_m) {
    const float moved = kMomentum * m + g / c.scale;
    new_m = c.skipped ? m : moved;
    new_p = c.skipped ? p : p - kRate * moved;
  }
};

}  // namespace truestep::training::dynamic_loss_scaling
