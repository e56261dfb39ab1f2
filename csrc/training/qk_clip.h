// qk_clip (Kimi Team 2025), of every head with its largest logit S:
//   gamma = threshold / S where S > threshold, else 1
//   W_q = gamma^alpha W_q,  W_k = gamma^(1 - alpha) W_k
#pragma once

#include "piece.h"

namespace truestep::training::qk_clip {

enum NanLogit { kIgnored, kSpreads };
enum Parts { kWhole, kRotary };

struct Piece : Units {
  static constexpr const char* kHyper = "threshold alpha nan_logit parts";
  static constexpr const char* kInputs = "queries keys";
  static constexpr const char* kOutputs = "queries keys";
  static constexpr const char* kGiven = "logits[]";
  struct Hyper {
    double threshold, alpha, nan_logit, parts;
  };
  struct Constants {
    float of_query, of_key;
  };

  TRUESTEP_HD Constants finish(const Hyper& h, const double* logit, const double*) {
    const bool spreads = h.nan_logit == kSpreads && *logit != *logit;
    const double gamma = *logit > h.threshold || spreads ? h.threshold / *logit : 1.0;
    if (h.parts == kRotary) return {rounded(gamma), 1.0f};
    return {rounded(pow(gamma, h.alpha)), rounded(pow(gamma, 1.0 - h.alpha))};
  }

  TRUESTEP_HD void element(const Constants& c, float query, float key, float& new_query,
                           float& new_key) {
    new_query = c.of_query * query;
    new_key = c.of_key * key;
  }
};

}  // namespace truestep::training::qk_clip
