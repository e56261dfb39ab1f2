// AdaHessian (Yao et al. 2021):
//   m = beta1 m + (1 - beta1) g
//   every period steps v = beta2 v + (1 - beta2) estimate^2
//   p = p (1 - lr weight_decay)
//       - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t))^hessian_power + eps)
#pragma once

#include "../formats/powers.h"
#include "common/decay_before.h"

namespace truestep::rules::adahessian {

// By their place in the reference's list.
enum Decay { kBefore, kCoupled, kInStep, kUnscaled };

// kRoots: hessian_power is 1, and leaves the root as it is.
template <bool kRoots>
struct AdaHessian : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay hessian_power period maximize decay";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kInputs = "estimate";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, hessian_power, period, maximize, decay;
  };
  struct Constants {
    double power;
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1, correction2;        // what m and v are multiplied by
    float lr, eps, sign;
    float pull;      // what of p is in one sum with the step
    bool refreshes;  // the step does not read estimate otherwise
    DecayBefore decay;
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
    c.pull = rounded(h.decay == kInStep ? h.weight_decay : 0.0);
    c.refreshes = fmod(t - 1.0, h.period) == 0.0;
    const double before = h.decay == kBefore ? h.lr : h.decay == kInStep ? 0.0 : 1.0;
    c.decay = decay_before(before * h.weight_decay, h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float estimate, float& m,
                           float& v) {
    g = c.sign * g;
    decay(c.decay, g, p);
    m = c.beta1 * m + c.weight1 * g;
    v = c.refreshes ? c.beta2 * v + c.weight2 * (estimate * estimate) : v;
    const float root = root_of(v * c.correction2);
    const float u = m * c.correction1 / ((kRoots ? root : power_of(root, c.power)) + c.eps);
    p = p - c.lr * (c.pull != 0.0f ? u + c.pull * p : u);
  }
};

}  // namespace truestep::rules::adahessian

#define TRUESTEP_KERNELS(KERNEL)                            \
  KERNEL("hessian_power=1", AdaHessian<true>)               \
  KERNEL("", AdaHessian<false>)                             \
  KERNEL("decay=in_step hessian_power=1", AdaHessian<true>) \
  KERNEL("decay=in_step", AdaHessian<false>)                \
  KERNEL("decay=coupled", AdaHessian<false>)                \
  KERNEL("decay=unscaled", AdaHessian<false>)
