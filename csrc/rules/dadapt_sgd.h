// SGD with D-Adaptation (Defazio & Mishchenko 2023), of g + weight_decay p as g, with l = lr d / G:
//   G = |g|, without the decay, of the first gradient that is not zero
//   r = r + l <g, s>
//   s = s + l g
//   d = max(d, 2 r / |s|)
//   p = beta p + (1 - beta) (p0 - s), by the old d
// l is known before the sums are made, but for the steps while G is zero: |s| comes of the sums of
// s^2, g s and g^2 then.
#pragma once

#include "common/distance.h"

namespace truestep::rules::dadapt_sgd {

struct DAdaptSgd : Elementwise {
  static constexpr const char* kHyper =
      "lr beta weight_decay growth_rate maximize growth nan_estimate";
  static constexpr const char* kStates = "s";
  static constexpr const char* kInputs = "p0";
  static constexpr const char* kNumbers = "G r d";
  static constexpr int kSums = 4;  // g^2 without and with the decay, g s, s^2 as far as it is known
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta, weight_decay, growth_rate, maximize, growth, nan_estimate;
  };
  struct Constants {
    float beta, weight;  // weight: 1 - beta
    float decay, sign;
    float rate;  // l, 0 while G is zero
    bool still;  // the step leaves p and s as they are
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.beta = rounded(h.beta), c.weight = rounded(1.0 - h.beta);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double, const double* numbers, Constants& c) {
    c.rate = rounded(numbers[0] == 0.0 ? 0.0 : h.lr * numbers[2] / numbers[0]);
    c.still = numbers[0] == 0.0;
  }

  // s after the step.
  TRUESTEP_HD float total(const Constants& c, float g, float s) {
    return c.still ? s : s + c.rate * g;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float s,
                        double (&addend)[kSums]) {
    addend[0] = exact_product(g, g);
    g = c.sign * g + c.decay * p;
    const float way = total(c, g, s);
    addend[1] = exact_product(g, g);
    addend[2] = exact_product(g, s);
    addend[3] = exact_product(way, way);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double* numbers,
                          Constants& c) {
    double& of_first = numbers[0];
    double& r = numbers[1];
    double& d = numbers[2];
    if (size == 0.0) return;
    double square = sum[3];
    const bool first = of_first == 0.0;
    if (first) of_first = sqrt(sum[0]);
    c.still = of_first == 0.0;
    const double rate = c.still ? 0.0 : h.lr * d / of_first;
    if (!c.still) r = r + rate * sum[2];
    if (first && !c.still) square = square + 2.0 * rate * sum[2] + rate * rate * sum[1];
    c.rate = rounded(rate);
    if (square != 0.0)
      d = grown({h.growth_rate, h.growth, h.nan_estimate}, 2.0 * r / sqrt(square), d);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float p0, float& s) {
    g = c.sign * g + c.decay * p;
    s = total(c, g, s);
    const float moved = c.beta * p + c.weight * (p0 - s);
    p = c.still ? p : moved;
  }
};

}  // namespace truestep::rules::dadapt_sgd

#define TRUESTEP_KERNELS(KERNEL)            \
  KERNEL("", DAdaptSgd)                     \
  KERNEL("nan_estimate=ignored", DAdaptSgd) \
  KERNEL("growth=limited nan_estimate=ignored", DAdaptSgd)
