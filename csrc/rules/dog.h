// DoG (Ivgi, Hinder & Carmon 2023), of g + weight_decay p as g:
//   r = max(r, norm(p - p0)),  G = G + norm(g)^2
//   p = p - lr r / sqrt(G + eps) g
// The norms are of what the tensors hold before the step, so one pass reads and a second one
// writes.
#pragma once

#include "rule.h"

namespace truestep::rules::dog {

// By their place in the reference's list. How r starts is the state's, but for a rate.
enum Start { kDistance, kHeuristic, kRate };

struct DoG : Elementwise {
  static constexpr const char* kHyper = "lr r_eps eps weight_decay maximize start";
  static constexpr const char* kStates = "";
  static constexpr const char* kInputs = "p0";
  static constexpr const char* kNumbers = "r G";
  static constexpr int kSums = 2;  // (p0 - p)^2, g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, r_eps, eps, weight_decay, maximize, start;
  };
  struct Constants {
    float lr, rate, decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.lr = rounded(h.lr);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD float gradient(const Constants& c, float g, float p) {
    return c.sign * g + c.decay * p;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float p0, double (&addend)[kSums]) {
    const float way = p0 - p;
    g = gradient(c, g, p);
    addend[0] = exact_product(way, way);
    addend[1] = exact_product(g, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* numbers,
                          Constants& c) {
    double& r = numbers[0];
    double& squares = numbers[1];
    const double way = sqrt(sum[0]);
    r = way > r || way != way ? way : r;
    squares = squares + sum[1];
    const bool given = h.start == kRate && t == 1.0;
    c.rate = rounded(given ? h.r_eps : r / sqrt(squares + h.eps));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float) {
    p = p - c.lr * (c.rate * gradient(c, g, p));
  }
};

}  // namespace truestep::rules::dog

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", DoG)                \
  KERNEL("start=heuristic", DoG) \
  KERNEL("start=rate", DoG)
