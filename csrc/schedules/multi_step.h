// multi_step: a_t = lr gamma^k,  k = the number of milestones <= t
#pragma once

#include "schedule.h"

namespace truestep::schedules::multi_step {

// Whether a milestone acts when it is reached, one step late or one step early.
enum Boundary { kAt, kAfter, kBefore };

constexpr const char* kHyper = "lr gamma boundary milestones[]";
struct Hyper {
  double lr, gamma, boundary;
  double milestones;  // how many; they follow
};

TRUESTEP_HD double value(const Hyper& h, double t) {
  const double s = h.boundary == kAfter ? t - 1.0 : h.boundary == kBefore ? t + 1.0 : t;
  const double* milestone = &h.milestones + 1;
  double k = 0.0;
  for (int i = 0; i < h.milestones; ++i) k += milestone[i] <= s ? 1.0 : 0.0;
  return h.lr * pow(h.gamma, k);
}

}  // namespace truestep::schedules::multi_step
