// one_cycle (Smith & Topin 2018):
//   first = lr / div_factor, last = first / final_div_factor
//   k = pct_start total_steps - 1,  n = total_steps - 1
//   two phases:    first -> lr on [0, k], lr -> last on [k, n]
//   three phases:  first -> lr on [0, k], lr -> first on [k, 2 k], first -> last then
#pragma once

#include "schedule.h"

namespace truestep::schedules::one_cycle {

enum Phases { kTwo, kThree };
enum Anneal { kCos, kLinear };
// k and n as above, or k = floor(pct_start total_steps) and n = total_steps.
enum Knots { kLastStep, kWhole };
// Past the last step there is no value, or the last one.
enum After { kRaise, kHold };

constexpr const char* kHyper =
    "lr total_steps pct_start div_factor final_div_factor phases anneal knots after";
struct Hyper {
  double lr, total_steps, pct_start, div_factor, final_div_factor, phases, anneal, knots, after;
};

// The value at x of a phase of n steps from u to v.
TRUESTEP_HD double between(const Hyper& h, double u, double v, double x, double n) {
  const double share = x / n;
  const double weight = h.anneal == kCos ? half_cosine(share, 1.0) : 1.0 - share;
  return weighted(v, u, weight);
}

TRUESTEP_HD double value(const Hyper& h, double t) {
  const bool whole = h.knots == kWhole;
  const double end = whole ? h.total_steps : h.total_steps - 1.0;
  if (t > h.total_steps - 1.0 && h.after == kRaise) return no_value();
  const double s = least(t, end);
  const double first = h.lr / h.div_factor, last = first / h.final_div_factor;
  const double share = h.pct_start * h.total_steps;
  const double k = whole ? quotient(share, 1.0) : share - 1.0;
  if (s <= k) return between(h, first, h.lr, s, k);
  if (h.phases == kTwo) return between(h, h.lr, last, s - k, end - k);
  if (s <= 2.0 * k) return between(h, h.lr, first, s - k, k);
  return between(h, first, last, s - 2.0 * k, end - 2.0 * k);
}

}  // namespace truestep::schedules::one_cycle
