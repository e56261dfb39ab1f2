// gradient_accumulation:
//   G = (n_1 g_1 + ... + n_K g_K) / (n_1 + ... + n_K) after every K micro-batches, then from zero
#pragma once

#include "piece.h"

namespace truestep::training::gradient_accumulation {

enum Form { kWeighted, kTerms, kMean, kRunning, kSum };

struct Piece : Whole {
  static constexpr const char* kHyper = "steps form";
  static constexpr const char* kInputs = "gradients totals";
  static constexpr const char* kOutputs = "totals results";
  static constexpr const char* kGiven = "examples";
  static constexpr const char* kNumbers = "t weight";
  static constexpr const char* kFlags = "due";
  struct Hyper {
    double steps, form;
  };
  struct Constants {
    bool running, due;
    float factor;   // of the gradient
    float divisor;  // of what is added to the total
    float whole;    // what the result is divided by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, const double* given, const double* numbers) {
    const double t = numbers[0] + 1.0, weight = numbers[1] + given[0];
    Constants c;
    c.running = h.form == kRunning;
    c.due = t >= h.steps;
    c.factor = h.form == kWeighted ? rounded(given[0]) : 1.0f;
    c.divisor = rounded(h.form == kTerms ? h.steps : h.form == kRunning ? t : 1.0);
    c.whole = rounded(h.form == kWeighted ? weight : h.form == kMean ? h.steps : 1.0);
    return c;
  }

  TRUESTEP_HD void finish(const Hyper&, const double* given, const double*, const double*,
                          double* numbers, Constants& c) {
    numbers[0] = c.due ? 0.0 : numbers[0] + 1.0;
    numbers[1] = c.due ? 0.0 : numbers[1] + given[0];
    numbers[2] = c.due ? 1.0 : 0.0;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float total, float& new_total,
                           float& result) {
    const float added = c.running ? g - total : g;
    const float sum = total + added * c.factor / c.divisor;
    new_total = c.due ? 0.0f : sum;
    result = c.due ? sum / c.whole : 0.0f;
  }
};

}  // namespace truestep::training::gradient_accumulation
