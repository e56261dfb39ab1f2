// piecewise_interpolate: from lr gamma^i at the last milestone reached to lr gamma^k at the next,
// with i and k the numbers of milestones up to each, and x the fraction of the way:
//   line: u + (v - u) x,    cosine: v + (u - v) (1 + cos(pi x)) / 2
#pragma once

#include "schedule.h"

namespace truestep::schedules::piecewise_interpolate {

enum Shape { kLinear, kCosine };

constexpr const char* kHyper = "lr gamma shape milestones[]";
struct Hyper {
  double lr, gamma, shape;
  double milestones;  // how many; they follow, ascending
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double* milestone = &h.milestones + 1;
  const int count = static_cast<int>(h.milestones);
  int passed = 0;
  while (passed < count && milestone[passed] <= t) ++passed;
  const double before = h.lr * pow(h.gamma, passed);
  if (passed == count) return before;
  const double start = passed == 0 ? 0.0 : milestone[passed - 1], end = milestone[passed];
  int reached = passed;
  while (reached < count && milestone[reached] == end) ++reached;
  const double after = h.lr * pow(h.gamma, reached);
  const double x = (t - start) / (end - start);
  return weighted(after, before, h.shape == kLinear ? 1.0 - x : half_cosine(x, 1.0));
}

}  // namespace truestep::schedules::piecewise_interpolate
