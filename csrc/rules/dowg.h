// DoWG (Khaled, Mishchenko & Jin 2023), of g + weight_decay p as g:
//   d = max(d, norm(p - p0)^2),  G = G + d norm(g)^2
//   p = p - lr d / (sqrt(G) + eps) g
// The norms are of what the tensors hold before the step, so one pass reads and a second one
// writes.
#pragma once

#include "rule.h"

namespace truestep::rules::dowg {

struct DoWG : Elementwise {
  static constexpr const char* kHyper = "lr eps weight_decay maximize";
  static constexpr const char* kStates = "";
  static constexpr const char* kInputs = "p0";
  static constexpr const char* kNumbers = "d G";
  static constexpr int kSums = 2;  // (p0 - p)^2, g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, eps, weight_decay, maximize;
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

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* numbers,
                          Constants& c) {
    double& d = numbers[0];
    double& squares = numbers[1];
    d = sum[0] > d || sum[0] != sum[0] ? sum[0] : d;
    squares = squares + d * sum[1];
    c.rate = rounded(d / (sqrt(squares) + h.eps));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float) {
    p = p - c.lr * (c.rate * gradient(c, g, p));
  }
};

}  // namespace truestep::rules::dowg

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", DoWG)
