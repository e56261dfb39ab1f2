// Prodigy (Mishchenko & Defazio 2023), with beta3 = sqrt(beta2):
//   m = beta1 m + (1 - beta1) d g,  v = beta2 v + (1 - beta2) d^2 g^2
//   r = beta3 r + (1 - beta3) lr d^2 <g, p0 - p>
//   s = beta3 s + (1 - beta3) lr d^2 g
//   d = max(d, d_coef r / |s|_1)
//   p = p (1 - lr d weight_decay) - lr d m / (sqrt(v) + d eps), by the old d
#pragma once

#include "rule.h"

namespace truestep::rules::prodigy {

enum class Decay { kBefore, kCoupled };
// Choices of the constants alone, by their place in the reference's lists.
enum Correction { kNone, kRate };
enum EpsScale { kOld, kNew };
enum Growth { kUnlimited, kLimited };
enum Guard { kSkip, kUnguarded };
enum NanEstimate { kTaken, kIgnored };
enum Weights { kAveraged, kOverD0, kSafeguard };

template <Decay kDecay = Decay::kBefore>
struct Prodigy : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay d0 d_coef growth_rate maximize bias_correction eps_scale "
      "growth guard nan_estimate weights";
  static constexpr const char* kStates = "m v s";
  static constexpr const char* kInputs = "p0";
  static constexpr const char* kNumbers = "r d d_max";
  static constexpr int kSums = 2;  // g (p0 - p), |s|
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, d0, d_coef, growth_rate, maximize, bias_correction,
        eps_scale, growth, guard, nan_estimate, weights;
  };
  struct Constants {
    float beta1, weight1;  // weight: 1 - beta
    float beta2, weight2;
    float beta3, s_weight;
    float d;
    float eps;
    float rate;   // lr d
    float decay;  // what p is multiplied by, or weight_decay of "coupled"
    float sign;   // of the gradient
    bool still;   // the step leaves p as it is
  };

  TRUESTEP_HD double rate(const Hyper& h, double t) {
    if (h.bias_correction == kNone) return h.lr;
    return h.lr * (sqrt(1.0 - pow(h.beta2, t)) / (1.0 - pow(h.beta1, t)));
  }

  // What <g, p0 - p> weighs in r, and, without the rate for the safeguard, g in s.
  TRUESTEP_HD double weight(const Hyper& h, double rate, double d) {
    return rate * d * d * (h.weights == kAveraged ? 1.0 - sqrt(h.beta2) : 1.0 / h.d0);
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.beta3 = rounded(sqrt(h.beta2));
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void begin(const Hyper& h, double t, const double* numbers, Constants& c) {
    const double d = numbers[1], lr = rate(h, t);
    c.d = rounded(d);
    c.rate = rounded(lr * d);
    c.s_weight = rounded(weight(h, h.weights == kSafeguard ? 1.0 : lr, d));
    if (kDecay == Decay::kBefore) c.decay = rounded(1.0 - lr * d * h.weight_decay);
  }

  TRUESTEP_HD float gradient(const Constants& c, float g, float p) {
    g = c.sign * g;
    return kDecay == Decay::kCoupled ? g + c.decay * p : g;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float p0, float, float, float s,
                        double (&addend)[kSums]) {
    g = gradient(c, g, p);
    addend[0] = exact_product(g, p0 - p);
    addend[1] = magnitude(c.beta3 * s + c.s_weight * g);
  }

  // The estimate of the distance; the old one while s is zero, where that is guarded.
  TRUESTEP_HD double estimate_of(const Hyper& h, double r, double size, double d) {
    if (h.guard == kSkip && size == 0.0) return d;
    const double estimate = h.d_coef * r / size;
    return h.nan_estimate == kIgnored && estimate != estimate ? d : estimate;
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double size, const double* sum, double* numbers,
                          Constants& c) {
    double& r = numbers[0];
    double& d = numbers[1];
    double& d_max = numbers[2];
    if (size == 0.0) return;
    r = sqrt(h.beta2) * r + weight(h, rate(h, t), d) * sum[0];
    const double estimate = estimate_of(h, r, sum[1], d);
    d_max = d_max < estimate || estimate != estimate ? estimate : d_max;
    double next = d_max;
    if (h.growth == kLimited) {
      // The start may have been kept in float32.
      const bool first = d == h.d0 || d == static_cast<double>(rounded(h.d0));
      const double limit = (first && !(estimate < d) ? estimate : d) * h.growth_rate;
      next = d_max < limit || d_max != d_max ? d_max : limit;
    }
    c.eps = rounded((h.eps_scale == kNew ? next : d) * h.eps);
    c.still = h.guard == kSkip && sum[1] == 0.0;
    d = next;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float, float& m, float& v,
                           float& s) {
    g = gradient(c, g, p);
    const float scaled = c.d * g;
    m = c.beta1 * m + c.weight1 * scaled;
    v = c.beta2 * v + c.weight2 * (scaled * scaled);
    s = c.beta3 * s + c.s_weight * g;
    const float decayed = kDecay == Decay::kBefore ? p * c.decay : p;
    const float moved = decayed - c.rate * (m / (root_of(v) + c.eps));
    p = c.still ? p : moved;
  }
};

}  // namespace truestep::rules::prodigy

#define TRUESTEP_KERNELS(KERNEL)                                                               \
  KERNEL("", Prodigy<>)                                                                        \
  KERNEL("eps_scale=new nan_estimate=ignored weights=over_d0", Prodigy<>)                      \
  KERNEL("bias_correction=rate eps_scale=new nan_estimate=ignored weights=over_d0", Prodigy<>) \
  KERNEL("decay=coupled eps_scale=new nan_estimate=ignored weights=over_d0",                   \
         Prodigy<Decay::kCoupled>)                                                             \
  KERNEL("eps_scale=new growth=limited nan_estimate=ignored weights=safeguard", Prodigy<>)     \
  KERNEL("bias_correction=rate eps_scale=new guard=none weights=over_d0", Prodigy<>)           \
  KERNEL("bias_correction=rate eps_scale=new guard=none weights=safeguard", Prodigy<>)
