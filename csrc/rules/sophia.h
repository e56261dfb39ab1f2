// Sophia (Liu et al. 2023):
//   m = beta1 m + (1 - beta1) g
//   every period steps h = beta2 h + (1 - beta2) estimate
//   p = p (1 - lr weight_decay) - lr clip(m / max(gamma h, eps), -limit, limit)
#pragma once

#include "rule.h"

namespace truestep::rules::sophia {

enum class Decay { kBefore, kCoupled, kInStep, kUnscaled };
enum class Denominator { kFloor, kAdded };
enum class Refresh { kBefore, kAfter };
// A choice of the constants alone, by its place in the reference's list.
enum Correction { kNone, kFirst };

template <Decay kDecay = Decay::kBefore, Denominator kDenominator = Denominator::kFloor,
          Refresh kRefresh = Refresh::kBefore>
struct Sophia : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps gamma limit weight_decay period maximize bias_correction";
  static constexpr const char* kStates = "m h";
  static constexpr const char* kInputs = "estimate";
  struct Hyper {
    double lr, beta1, beta2, eps, gamma, limit, weight_decay, period, maximize, bias_correction;
  };
  struct Constants {
    float beta1, weight1;  // weight: 1 - beta
    float beta2, weight2;
    float correction;  // what m is multiplied by
    float eps;
    float gamma;
    float limit;
    float lr;
    float decay;     // what p is multiplied by, or weight_decay where it is added to something
    float sign;      // of the gradient
    bool refreshes;  // the step does not read estimate otherwise
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction = rounded(h.bias_correction == kFirst ? 1.0 / (1.0 - pow(h.beta1, t)) : 1.0);
    c.eps = rounded(h.eps);
    c.gamma = rounded(h.gamma);
    c.limit = rounded(h.limit);
    c.lr = rounded(h.lr);
    c.decay = rounded(kDecay == Decay::kBefore     ? 1.0 - h.lr * h.weight_decay
                      : kDecay == Decay::kUnscaled ? 1.0 - h.weight_decay
                                                   : h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.refreshes = fmod(t - 1.0, h.period) == 0.0;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float estimate, float& m,
                           float& h) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    m = c.beta1 * m + c.weight1 * g;
    float used = h;
    h = c.refreshes ? c.beta2 * h + c.weight2 * estimate : h;
    if constexpr (kRefresh == Refresh::kBefore) used = h;
    const float denominator = kDenominator == Denominator::kFloor
                                  ? larger(c.gamma * used, c.eps)
                                  : c.gamma * larger(used, 0.0f) + c.eps;
    float update = m * c.correction / denominator;
    update = smaller(larger(update, -c.limit), c.limit);
    if constexpr (kDecay == Decay::kBefore || kDecay == Decay::kUnscaled) p = p * c.decay;
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::sophia

#define TRUESTEP_KERNELS(KERNEL)                                           \
  KERNEL("", Sophia<>)                                                     \
  KERNEL("denominator=added", Sophia<Decay::kBefore, Denominator::kAdded>) \
  KERNEL("decay=coupled", Sophia<Decay::kCoupled>)                         \
  KERNEL("decay=unscaled", Sophia<Decay::kUnscaled>)                       \
  KERNEL("bias_correction=first decay=in_step refresh=after",              \
         Sophia<Decay::kInStep, Denominator::kFloor, Refresh::kAfter>)
