// Averaged SGD as PyTorch has it (Bottou 2010, section 5; Polyak & Juditsky 1992):
//   g = g + weight_decay p
//   eta = lr / (1 + lambd lr (t - 1))^alpha
//   p = p (1 - lambd eta) - eta g
//   average = p while t - 1 - t0 <= 1, then average + (p - average) / (t - 1 - t0)
// The divisor is a whole number, which float32 mostly holds: its reciprocal would round once more.
#pragma once

#include "rule.h"

namespace truestep::rules::asgd {

// By its place in the reference's list.
enum BeforeAveraging { kCopy, kMoved };

struct Asgd : Elementwise {
  static constexpr const char* kHyper = "lr lambd alpha t0 weight_decay maximize before_averaging";
  static constexpr const char* kStates = "average";
  struct Hyper {
    double lr, lambd, alpha, t0, weight_decay, maximize, before_averaging;
  };
  struct Constants {
    float eta, shrink, decay, sign;
    float count;  // of the points in the average; 1 before it begins
    bool copies;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double eta = h.lr / pow(1.0 + h.lambd * h.lr * (t - 1.0), h.alpha);
    const double count = t - 1.0 - h.t0;
    Constants c;
    c.eta = rounded(eta), c.shrink = rounded(1.0 - h.lambd * eta);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.count = rounded(count > 1.0 ? count : 1.0);
    c.copies = count <= 1.0 && h.before_averaging == kCopy;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& average) {
    g = c.sign * g + c.decay * p;
    p = p * c.shrink - c.eta * g;
    average = c.copies ? p : average + (p - average) / c.count;
  }
};

}  // namespace truestep::rules::asgd

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Asgd)               \
  KERNEL("before_averaging=moved", Asgd)
