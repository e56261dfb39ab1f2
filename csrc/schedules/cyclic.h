// cyclic (Smith 2017): triangles between min_lr and lr.
//   c = floor(t / (steps_up + steps_down)),  s = t - c (steps_up + steps_down)
//   w = s / steps_up for s <= steps_up, then (steps_up + steps_down - s) / steps_down
//   a_t = min_lr + (lr - min_lr) w h_t,  h_t = 1 | 2^-c | gamma^t
#pragma once

#include "schedule.h"

namespace truestep::schedules::cyclic {

enum Mode { kTriangular, kTriangular2, kExpRange };
// The place in the cycle is an integer, or the whole parts of a fraction that cancel.
enum Place { kInteger, kFraction };

constexpr const char* kHyper = "lr min_lr steps_up steps_down gamma mode place";
struct Hyper {
  double lr, min_lr, steps_up, steps_down, gamma, mode, place;
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double period = h.steps_up + h.steps_down;
  const double c = quotient(t, period);
  double weight;
  if (h.place == kInteger) {
    const double s = t - c * period;
    weight = s <= h.steps_up ? s / h.steps_up : (period - s) / h.steps_down;
  } else {
    const double x = 1.0 + t / period - (c + 1.0), peak = h.steps_up / period;
    weight = x <= peak ? x / peak : (x - 1.0) / (peak - 1.0);
  }
  if (h.mode == kTriangular2) weight = weight * pow(0.5, c);
  if (h.mode == kExpRange) weight = weight * pow(h.gamma, t);
  return weighted(h.min_lr, h.lr, weight);
}

}  // namespace truestep::schedules::cyclic
