// Adai (Xie et al. 2022), of g + weight_decay p as g:
//   v = beta2 v + (1 - beta2) g^2,  v_hat = v / (1 - beta2^t)
//   q = beta0 (v_hat / mean(v_hat))^(1 / (3 - 2 dampening)),  mu = clip(1 - q, 0, 1 - eps)
//   m = mu m + (1 - mu)^dampening g,  c = mu c
//   p = p - lr beta0^(1 - dampening) m / (1 - c)
// The mean is of what the tensors hold before the step, so one pass reads and a second one writes.
#pragma once

#include "../formats/powers.h"
#include "rule.h"

namespace truestep::rules::adai {

enum class Decay { kCoupled, kBefore, kOfMomentum, kUnscaled };
// By their place in the reference's list.
enum Mean { kPlain, kFloored };

// kOne: dampening is 1, and so are both powers.
enum class Power { kAny, kOne };

template <Power kPower, Decay kDecay = Decay::kCoupled>
struct Adai : Elementwise {
  static constexpr const char* kHyper = "lr beta0 beta2 dampening eps weight_decay maximize mean";
  static constexpr const char* kStates = "m v c";
  static constexpr int kSums = 1;  // v
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta0, beta2, dampening, eps, weight_decay, maximize, mean;
  };
  struct Constants {
    double power, dampening;
    float beta0, beta2, weight2;  // weight: 1 - beta
    float correction;             // what v is multiplied by
    float mean;                   // of v_hat
    float most;                   // inertia
    float rate;                   // what m is multiplied by in p
    float sign;
    float decay;  // weight_decay, or what p is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c = {};
    c.power = 1.0 / (3.0 - 2.0 * h.dampening), c.dampening = h.dampening;
    c.beta0 = rounded(h.beta0);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.most = rounded(1.0 - h.eps);
    c.rate = rounded(h.lr * pow(h.beta0, 1.0 - h.dampening));
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore     ? 1.0 - h.lr * h.weight_decay
                      : kDecay == Decay::kUnscaled ? 1.0 - h.weight_decay
                                                   : h.weight_decay);
    return c;
  }

  // v after the step.
  TRUESTEP_HD float squares(const Constants& c, float g, float p, float v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    return c.beta2 * v + c.weight2 * (g * g);
  }

  TRUESTEP_HD float raised(float x, double power) {
    return kPower == Power::kOne ? x : power_of(x, power);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float v, float,
                        double (&addend)[kSums]) {
    addend[0] = squares(c, g, p, v);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double size, const double* sum, double*,
                          Constants& c) {
    const double mean = sum[0] / size / (1.0 - pow(h.beta2, t));
    c.mean = rounded(h.mean == kFloored && mean < h.eps ? h.eps : mean);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& product) {
    v = squares(c, g, p, v);
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled || kDecay == Decay::kOfMomentum) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float q = c.beta0 * raised(v * c.correction / c.mean, c.power);
    const float least = 1.0f - q < 0.0f ? 0.0f : 1.0f - q;
    const float mu = least > c.most ? c.most : least;
    m = mu * m + raised(1.0f - mu, c.dampening) * g;
    product = product * mu;
    p = p - c.rate * (m / (1.0f - product));
  }
};

}  // namespace truestep::rules::adai

#define TRUESTEP_KERNELS(KERNEL)                                \
  KERNEL("dampening=1", Adai<Power::kOne>)                      \
  KERNEL("", Adai<Power::kAny>)                                 \
  KERNEL("decay=before", Adai<Power::kAny, Decay::kBefore>)     \
  KERNEL("decay=unscaled", Adai<Power::kAny, Decay::kUnscaled>) \
  KERNEL("mean=floored dampening=1", Adai<Power::kOne>)         \
  KERNEL("mean=floored", Adai<Power::kAny>)                     \
  KERNEL("decay=of_momentum mean=floored", Adai<Power::kAny, Decay::kOfMomentum>)
