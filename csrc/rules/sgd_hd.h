// SGD-HD (Baydin et al. 2018), of g + weight_decay p as g:
//   rate = rate + hypergrad_lr <g, u>
//   b = momentum b + g,  u = b, or g + momentum b of "nesterov"
//   p = p - rate u
// The product is of what the tensors hold before the step, so one pass reads and a second one
// writes.
#pragma once

#include "rule.h"

namespace truestep::rules::sgd_hd {

// By their place in the reference's list.
enum Form { kHeavyBall, kNesterov };

struct SgdHd : Elementwise {
  static constexpr const char* kHyper = "lr hypergrad_lr momentum weight_decay maximize form";
  static constexpr const char* kStates = "b u";
  static constexpr const char* kNumbers = "rate";
  static constexpr int kSums = 1;  // g u
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, hypergrad_lr, momentum, weight_decay, maximize, form;
  };
  struct Constants {
    float rate, momentum, decay, sign;
    bool nesterov;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.momentum = rounded(h.momentum), c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.nesterov = h.form == kNesterov;
    return c;
  }

  TRUESTEP_HD float gradient(const Constants& c, float g, float p) {
    return c.sign * g + c.decay * p;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float u,
                        double (&addend)[kSums]) {
    addend[0] = exact_product(gradient(c, g, p), u);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* rate,
                          Constants& c) {
    *rate = *rate + h.hypergrad_lr * sum[0];
    c.rate = rounded(*rate);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b, float& u) {
    g = gradient(c, g, p);
    b = c.momentum * b + g;
    u = c.nesterov ? g + c.momentum * b : b;
    p = p - c.rate * u;
  }
};

}  // namespace truestep::rules::sgd_hd

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", SgdHd)              \
  KERNEL("form=nesterov", SgdHd)
