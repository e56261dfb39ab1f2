// AdaGrad with D-Adaptation (Defazio & Mishchenko 2023), of g + weight_decay p as g, with l = lr d:
//   a = a + g^2,  A = sqrt(a) + eps
//   s = s + l g
//   q = sum s^2 / A,  w = |s|_1,  G = G + l^2 sum g^2 / A
//   d = max(d, (q - G) / w)
//   p = beta p + (1 - beta) (p0 - s / A), by the old d
#pragma once

#include "common/distance.h"

namespace truestep::rules::dadapt_adagrad {

enum class Sums { kAnew, kKept };

template <Sums kKeeping = Sums::kAnew>
struct DAdaptAdaGrad : Elementwise {
  static constexpr const char* kHyper =
      "lr beta eps weight_decay growth_rate maximize growth nan_estimate";
  static constexpr const char* kStates = "a s";
  static constexpr const char* kInputs = "p0";
  static constexpr const char* kNumbers = "q w G d";
  // s^2 / A, |s|, g^2 / A; and the first two before the step, where they are kept.
  static constexpr int kSums = kKeeping == Sums::kKept ? 5 : 3;
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta, eps, weight_decay, growth_rate, maximize, growth, nan_estimate;
  };
  struct Constants {
    float beta, weight;  // weight: 1 - beta
    float eps, decay, sign;
    float rate;  // lr d
    bool still;  // the step leaves p as it is
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.beta = rounded(h.beta), c.weight = rounded(1.0 - h.beta);
    c.eps = rounded(h.eps), c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double, const double* numbers, Constants& c) {
    c.rate = rounded(h.lr * numbers[3]);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float a, float s,
                        double (&addend)[kSums]) {
    g = c.sign * g + c.decay * p;
    const float root = root_of(a + g * g) + c.eps, total = s + c.rate * g;
    addend[0] = exact_product(total, total / root);
    addend[1] = magnitude(total);
    addend[2] = exact_product(g, g / root);
    if constexpr (kKeeping == Sums::kKept) {
      addend[3] = exact_product(s, s / (root_of(a) + c.eps));
      addend[4] = magnitude(s);
    }
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double* numbers,
                          Constants& c) {
    double& q = numbers[0];
    double& w = numbers[1];
    double& squares = numbers[2];
    double& d = numbers[3];
    if (size == 0.0) return;
    q = kKeeping == Sums::kKept ? q + (sum[0] - sum[3]) : sum[0];
    w = kKeeping == Sums::kKept ? w + (sum[1] - sum[4]) : sum[1];
    c.still = w == 0.0;
    if (c.still) return;
    const double rate = h.lr * d;
    squares = squares + rate * rate * sum[2];
    d = grown({h.growth_rate, h.growth, h.nan_estimate}, (q - squares) / w, d);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float p0, float& a, float& s) {
    g = c.sign * g + c.decay * p;
    a = a + g * g;
    s = s + c.rate * g;
    const float moved = c.beta * p + c.weight * (p0 - s / (root_of(a) + c.eps));
    p = c.still ? p : moved;
  }
};

}  // namespace truestep::rules::dadapt_adagrad

#define TRUESTEP_KERNELS(KERNEL)                                       \
  KERNEL("", DAdaptAdaGrad<>)                                          \
  KERNEL("nan_estimate=ignored", DAdaptAdaGrad<>)                      \
  KERNEL("nan_estimate=ignored sums=kept", DAdaptAdaGrad<Sums::kKept>) \
  KERNEL("growth=limited nan_estimate=ignored sums=kept", DAdaptAdaGrad<Sums::kKept>)
