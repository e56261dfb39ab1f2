// Adan with D-Adaptation (Defazio et al. 2023), with l = lr D:
//   d = g - previous, 0 at t = 1
//   m = beta1 m + (1 - beta1) l g,  v = beta2 v + (1 - beta2) l d
//   n = beta3 n + (1 - beta3) (g + beta2 d)^2,  A = sqrt(n) + eps
//   s = beta3 s + (1 - beta3) l g
//   G = beta3 G + (1 - beta3) l^2 sum g^2 / A
//   D = max(D, (sum s^2 / A / (1 - beta3) - G) / |s|_1)
//   p = (p - (m + beta2 v) / A) / (1 + l weight_decay), by the old D
#pragma once

#include "common/distance.h"

namespace truestep::rules::dadapt_adan {

enum class Decay { kProx, kBefore };
enum class Difference { kZero, kRepeated };

template <Decay kDecay = Decay::kProx, Difference kDifference = Difference::kZero>
struct DAdaptAdan : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 beta3 eps weight_decay growth_rate maximize growth nan_estimate";
  static constexpr const char* kStates = "m v n s previous";
  static constexpr const char* kNumbers = "G d";
  static constexpr int kSums = 3;  // s^2 / A, |s|, g^2 / A
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, beta3, eps, weight_decay, growth_rate, maximize, growth, nan_estimate;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2, beta3, weight3;  // weight: 1 - beta
    float eps, sign;
    float rate;        // lr D
    float decay;       // what p is multiplied by, or divided by
    float difference;  // 0 at t = 1, else 1
    float moves;       // 0 where the step leaves p as it is
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c = {};
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.beta3 = rounded(h.beta3), c.weight3 = rounded(1.0 - h.beta3);
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.difference = t == 1.0 ? 0.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double, const double* numbers, Constants& c) {
    const double rate = h.lr * numbers[1];
    c.rate = rounded(rate);
    c.decay = rounded(1.0 + (kDecay == Decay::kProx ? rate : -rate) * h.weight_decay);
  }

  TRUESTEP_HD float difference(const Constants& c, float g, float previous) {
    const float d = c.difference * (g - previous);
    if constexpr (kDifference == Difference::kRepeated) return d;
    return c.difference == 0.0f ? 0.0f : d;
  }

  // n and s after the step.
  TRUESTEP_HD float squares(const Constants& c, float g, float d, float n) {
    const float ahead = g + c.beta2 * d;
    return c.beta3 * n + c.weight3 * (ahead * ahead);
  }

  TRUESTEP_HD float total(const Constants& c, float g, float s) {
    return c.beta3 * s + c.weight3 * (c.rate * g);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float, float, float, float n, float s,
                        float previous, double (&addend)[kSums]) {
    g = c.sign * g;
    const float root = root_of(squares(c, g, difference(c, g, previous), n)) + c.eps;
    const float way = total(c, g, s);
    addend[0] = exact_product(way, way / root);
    addend[1] = magnitude(way);
    addend[2] = exact_product(g, g / root);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double* numbers,
                          Constants& c) {
    double& squared = numbers[0];
    double& d = numbers[1];
    const bool still = sum[1] == 0.0;
    c.moves = still ? 0.0f : 1.0f;
    if (size == 0.0 || still) return;
    const double rate = h.lr * d, weight = 1.0 - h.beta3;
    squared = h.beta3 * squared + weight * (rate * rate * sum[2]);
    const double estimate = (sum[0] / weight - squared) / sum[1];
    d = grown({h.growth_rate, h.growth, h.nan_estimate}, estimate, d);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v, float& n,
                           float& s, float& previous) {
    g = c.sign * g;
    const float d = difference(c, g, previous);
    m = c.beta1 * m + c.weight1 * (c.rate * g);
    v = c.beta2 * v + c.weight2 * (c.rate * d);
    n = squares(c, g, d, n);
    s = total(c, g, s);
    previous = g;
    const float u = (m + c.beta2 * v) / (root_of(n) + c.eps);
    const float moved = kDecay == Decay::kProx ? (p - u) / c.decay : p * c.decay - u;
    p = c.moves == 0.0f ? p : moved;
  }
};

}  // namespace truestep::rules::dadapt_adan

#define TRUESTEP_KERNELS(KERNEL)                                    \
  KERNEL("", DAdaptAdan<>)                                          \
  KERNEL("difference=repeated nan_estimate=ignored",                \
         DAdaptAdan<Decay::kProx, Difference::kRepeated>)           \
  KERNEL("decay=before difference=repeated nan_estimate=ignored",   \
         DAdaptAdan<Decay::kBefore, Difference::kRepeated>)         \
  KERNEL("difference=repeated growth=limited nan_estimate=ignored", \
         DAdaptAdan<Decay::kProx, Difference::kRepeated>)
