// Adan (Xie et al. 2022):
//   d = g - previous, 0 at t = 1
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) d
//   n = beta3 n + (1 - beta3) (g + beta2 d)^2
//   with m = g, v = 0 and n = g^2 at t = 1 and v = d at t = 2
//   p = (p - lr (m + beta2 v) / (sqrt(n) + eps)) / (1 + lr weight_decay)
// What tells one start from another are the weights of the averages, and d at t = 1.
#pragma once

#include "rule.h"

namespace truestep::rules::adan {

enum class Decay { kProx, kBefore, kInStep };
enum class Start { kGradient, kCorrected, kRepeated, kInAverage };

template <Decay kDecay = Decay::kProx, Start kStart = Start::kGradient>
struct Adan : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 beta3 eps weight_decay maximize";
  static constexpr const char* kStates = "m v n previous";
  struct Hyper {
    double lr, beta1, beta2, beta3, eps, weight_decay, maximize;
  };
  // An average: kept of the old one, what the new part weighs, and what corrects it for its start.
  struct Average {
    float kept, weight, correction;
  };
  struct Constants {
    Average m, v, n;
    float sign;
    float difference;  // 0 at t = 1, else 1
    float beta2;
    float eps;
    float lr;
    float decay;  // what p is multiplied by, or weight_decay of "in_step"
  };

  // first: the new part is taken in full, the average starting with it.
  TRUESTEP_HD Average average(double beta, double t, bool first) {
    const double weight = 1.0 - beta, left = 1.0 - pow(beta, t);
    if (kStart == Start::kGradient) {
      return {first ? 0.0f : rounded(beta), first ? 1.0f : rounded(weight), 1.0f};
    }
    if (kStart == Start::kInAverage) {
      return {rounded(1.0 - weight / left), rounded(weight / left), 1.0f};
    }
    return {rounded(beta), rounded(weight), rounded(1.0 / left)};
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.m = average(h.beta1, t, t == 1.0);
    c.v = average(h.beta2, t, t == 2.0);
    c.n = average(h.beta3, t, t == 1.0);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.difference = t == 1.0 ? 0.0f : 1.0f;
    c.beta2 = rounded(h.beta2);
    c.eps = rounded(h.eps);
    c.lr = rounded(h.lr);
    c.decay = rounded(kDecay == Decay::kProx     ? 1.0 / (1.0 + h.lr * h.weight_decay)
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v, float& n,
                           float& previous) {
    g = c.sign * g;
    float d = c.difference * (g - previous);
    if constexpr (kStart == Start::kGradient || kStart == Start::kCorrected) {
      d = c.difference == 0.0f ? 0.0f : d;
    }
    const float ahead = g + c.beta2 * d;
    m = c.m.kept * m + c.m.weight * g;
    v = c.v.kept * v + c.v.weight * d;
    n = c.n.kept * n + c.n.weight * (ahead * ahead);
    previous = g;
    const float direction = m * c.m.correction + c.beta2 * (v * c.v.correction);
    float update = direction / (root_of(n * c.n.correction) + c.eps);
    if constexpr (kDecay == Decay::kProx) {
      p = (p - c.lr * update) * c.decay;
    } else if constexpr (kDecay == Decay::kBefore) {
      p = p * c.decay - c.lr * update;
    } else {
      p = p - c.lr * (update + c.decay * p);
    }
  }
};

}  // namespace truestep::rules::adan

#define TRUESTEP_KERNELS(KERNEL)                                                   \
  KERNEL("", Adan<>)                                                               \
  KERNEL("decay=before", Adan<Decay::kBefore>)                                     \
  KERNEL("start=corrected", Adan<Decay::kProx, Start::kCorrected>)                 \
  KERNEL("decay=in_step start=corrected", Adan<Decay::kInStep, Start::kCorrected>) \
  KERNEL("start=repeated", Adan<Decay::kProx, Start::kRepeated>)                   \
  KERNEL("decay=before start=repeated", Adan<Decay::kBefore, Start::kRepeated>)    \
  KERNEL("start=in_average", Adan<Decay::kProx, Start::kInAverage>)
