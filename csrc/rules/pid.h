// PID (An et al. 2018):
//   i = momentum i + (1 - dampening) g
//   d = momentum d + (1 - momentum) (g - previous), without the change in the first step
//   previous = g
//   p = p - lr (g + integral i + derivative d)
#pragma once

#include "common/decay_before.h"

namespace truestep::rules::pid {

// By their place in the reference's lists.
enum Decay { kCoupled, kBefore, kUnscaled };
enum First { kDamped, kWhole };

struct Pid : Elementwise {
  static constexpr const char* kHyper =
      "lr momentum dampening integral derivative weight_decay maximize decay first";
  static constexpr const char* kStates = "i d previous";
  struct Hyper {
    double lr, momentum, dampening, integral, derivative, weight_decay, maximize, decay, first;
  };
  struct Constants {
    float momentum, weight;  // weight: 1 - momentum
    float entering;          // what g is multiplied by where it enters i
    float integral, derivative;
    float lr, sign;
    bool starts;
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.momentum = rounded(h.momentum), c.weight = rounded(1.0 - h.momentum);
    c.starts = t == 1.0;
    c.entering = rounded(c.starts && h.first == kWhole ? 1.0 : 1.0 - h.dampening);
    c.integral = rounded(h.integral), c.derivative = rounded(h.derivative);
    c.lr = rounded(h.lr);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                           h.decay == kCoupled);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& i, float& d,
                           float& previous) {
    g = c.sign * g;
    decay(c.decay, g, p);
    i = c.momentum * i + c.entering * g;
    const float kept = c.momentum * d;
    d = c.starts ? kept : kept + c.weight * (g - previous);
    previous = g;
    p = p - c.lr * (g + c.integral * i + c.derivative * d);
  }
};

}  // namespace truestep::rules::pid

#define TRUESTEP_KERNELS(KERNEL)          \
  KERNEL("", Pid)                         \
  KERNEL("first=whole", Pid)              \
  KERNEL("decay=before first=whole", Pid) \
  KERNEL("decay=unscaled first=whole", Pid)
