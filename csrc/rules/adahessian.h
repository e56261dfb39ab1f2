// AdaHessian (Yao et al. 2021):
//   m = beta1 m + (1 - beta1) g
//   every period steps v = beta2 v + (1 - beta2) estimate^2
//   p = p (1 - lr weight_decay)
//       - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t))^hessian_power + eps)
#pragma once

#include "../formats/powers.h"
#include "rule.h"

namespace truestep::rules::adahessian {

enum class Decay { kBefore, kCoupled, kInStep, kUnscaled };
// kRoot: hessian_power is 1, and leaves the root as it is.
enum class Power { kAny, kRoot };

template <Power kPower, Decay kDecay = Decay::kBefore>
struct AdaHessian : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay hessian_power period maximize";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kInputs = "estimate";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, hessian_power, period, maximize;
  };
  struct Constants {
    double power;
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1, correction2;        // what m and v are multiplied by
    float lr, eps, sign;
    float decay;      // what p is multiplied by, or weight_decay where it is added to something
    float refreshes;  // 0 where the step does not read estimate, else 1
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.power = h.hessian_power;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore     ? 1.0 - h.lr * h.weight_decay
                      : kDecay == Decay::kUnscaled ? 1.0 - h.weight_decay
                                                   : h.weight_decay);
    c.refreshes = fmod(t - 1.0, h.period) == 0.0 ? 1.0f : 0.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float estimate, float& m,
                           float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    m = c.beta1 * m + c.weight1 * g;
    const float refreshed = c.beta2 * v + c.weight2 * (estimate * estimate);
    v = c.refreshes == 0.0f ? v : refreshed;
    const float root = root_of(v * c.correction2);
    float u =
        m * c.correction1 / ((kPower == Power::kRoot ? root : power_of(root, c.power)) + c.eps);
    if constexpr (kDecay == Decay::kBefore || kDecay == Decay::kUnscaled) p = p * c.decay;
    if constexpr (kDecay == Decay::kInStep) u = u + c.decay * p;
    p = p - c.lr * u;
  }
};

}  // namespace truestep::rules::adahessian

#define TRUESTEP_KERNELS(KERNEL)                                                    \
  KERNEL("hessian_power=1", AdaHessian<Power::kRoot>)                               \
  KERNEL("", AdaHessian<Power::kAny>)                                               \
  KERNEL("decay=in_step hessian_power=1", AdaHessian<Power::kRoot, Decay::kInStep>) \
  KERNEL("decay=in_step", AdaHessian<Power::kAny, Decay::kInStep>)                  \
  KERNEL("decay=coupled", AdaHessian<Power::kAny, Decay::kCoupled>)                 \
  KERNEL("decay=unscaled", AdaHessian<Power::kAny, Decay::kUnscaled>)
