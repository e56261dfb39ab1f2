// warm_restarts (SGDR, Loshchilov & Hutter 2017): cycle i has T_i = cycle_steps growth^i steps and
// the peak lr decay^i; with t_cur the number of steps made in it,
//   a_t = min_lr + (lr decay^i - min_lr) (1 + cos(pi t_cur / T_i)) / 2
#pragma once

#include "schedule.h"

namespace truestep::schedules::warm_restarts {

constexpr const char* kHyper = "lr min_lr cycle_steps growth decay";
struct Hyper {
  double lr, min_lr, cycle_steps, growth, decay;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  double i = 0.0, start = 0.0, n = h.cycle_steps;
  if (h.growth == 1.0) {
    i = quotient(t, n);
    start = i * n;
  } else {
    for (; t >= start + n; n *= h.growth) {
      start += n;
      i += 1.0;
    }
  }
  const double peak = greatest(h.lr * pow(h.decay, i), h.min_lr);
  return weighted(h.min_lr, peak, half_cosine(t - start, n));
}

}  // namespace truestep::schedules::warm_restarts
