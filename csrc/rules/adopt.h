// ADOPT (Taniguchi et al. 2024):
//   g = g + weight_decay p                           decay "coupled"
//   v = g^2 in the first step, and nothing else
//   u = clip(g / max(sqrt(v), eps), (t - 1)^(1/4))
//   m = beta1 m + (1 - beta1) u
//   p = p - lr m
//   v = beta2 v + (1 - beta2) g^2
#pragma once

#include "rule.h"

namespace truestep::rules::adopt {

enum class Decay { kCoupled, kBefore, kBeforeAll, kUnscaled };
// By their place in the reference's list.
enum Correction { kNone, kInAverage };

template <Decay kDecay, bool kClips = true>
struct Adopt : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize bias_correction";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // of the old average and of what enters it
    float limit;
    float lr, eps, sign;
    float decay;  // weight_decay, or what p is multiplied by
    bool first;   // step of all
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.first = t == 1.0;
    const bool in_average = h.bias_correction == kInAverage;
    const double left1 = in_average && !c.first ? 1.0 - pow(h.beta1, t - 1.0) : 1.0;
    const double left2 = in_average ? 1.0 - pow(h.beta2, t) : 1.0;
    const double weight1 = (1.0 - h.beta1) / left1, weight2 = (1.0 - h.beta2) / left2;
    c.beta1 = rounded(in_average ? 1.0 - weight1 : h.beta1), c.weight1 = rounded(weight1);
    c.beta2 = rounded(in_average ? 1.0 - weight2 : h.beta2), c.weight2 = rounded(weight2);
    c.limit = rounded(pow(t - 1.0, 0.25));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    const double shrunk = 1.0 - h.lr * h.weight_decay;
    c.decay = rounded(kDecay == Decay::kCoupled             ? h.weight_decay
                      : kDecay == Decay::kUnscaled          ? 1.0 - h.weight_decay
                      : kDecay == Decay::kBefore && c.first ? 1.0
                                                            : shrunk);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float square = g * g;
    float u = g / larger(root_of(v), c.eps);
    if constexpr (kClips) u = clipped(u, c.limit);
    m = c.first ? m : c.beta1 * m + c.weight1 * u;
    v = c.first ? v + square : c.beta2 * v + c.weight2 * square;
    p = c.first ? p : p - c.lr * m;
  }
};

}  // namespace truestep::rules::adopt

#define TRUESTEP_KERNELS(KERNEL)                                                            \
  KERNEL("", Adopt<Decay::kCoupled>)                                                        \
  KERNEL("clip=none", Adopt<Decay::kCoupled, false>)                                        \
  KERNEL("bias_correction=in_average clip=none decay=before", Adopt<Decay::kBefore, false>) \
  KERNEL("decay=before", Adopt<Decay::kBefore>)                                             \
  KERNEL("decay=before_all", Adopt<Decay::kBeforeAll>)                                      \
  KERNEL("decay=unscaled", Adopt<Decay::kUnscaled>)
