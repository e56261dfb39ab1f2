// SGD with momentum as PyTorch has it (Robbins & Monro 1951; Polyak 1964):
//   b = momentum b + (1 - dampening) g, from the second step on; g itself at the first
//   p = p - lr b
#pragma once

#include "rule.h"

namespace truestep::rules::sgd {

enum class Decay { kCoupled, kDecoupled };
enum class Form { kLrOutside, kLrInside };

template <Decay kDecay, bool kDamped = false, Form kForm = Form::kLrOutside>
struct Momentum : Elementwise {
  static constexpr const char* kHyper = "lr momentum dampening weight_decay maximize";
  static constexpr const char* kStates = "b";
  struct Hyper {
    double lr, momentum, dampening, weight_decay, maximize;
  };
  struct Constants {
    float lr, momentum, weight, decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool first = t == 1.0 && !kDamped;
    Constants c;
    c.lr = rounded(h.lr);
    c.momentum = first ? 0.0f : rounded(h.momentum);
    c.weight = first ? 1.0f : rounded(1.0 - h.dampening);
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD float decayed(const Constants& c, float g, float& p) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      return g + c.decay * p;
    } else {
      p = p * c.decay;
      return g;
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b) {
    g = decayed(c, g, p);
    if constexpr (kForm == Form::kLrOutside) {
      b = c.momentum * b + c.weight * g;
      p = p - c.lr * b;
    } else {
      b = c.momentum * b - c.weight * (c.lr * g);
      p = p + b;
    }
  }
};

// Without momentum: the buffer is neither read nor written.
template <Decay kDecay>
struct Plain : Momentum<kDecay> {
  using Base = Momentum<kDecay>;
  static constexpr const char* kStates = "";

  TRUESTEP_HD void element(const typename Base::Constants& c, float g, float& p) {
    g = Base::decayed(c, g, p);
    p = p - c.lr * g;
  }
};

}  // namespace truestep::rules::sgd

#define TRUESTEP_KERNELS(KERNEL)                                       \
  KERNEL("momentum=0", Plain<Decay::kCoupled>)                         \
  KERNEL("momentum=0 first_step=damped", Plain<Decay::kCoupled>)       \
  KERNEL("momentum=0 momentum_form=lr_inside", Plain<Decay::kCoupled>) \
  KERNEL("momentum=0 decay=decoupled", Plain<Decay::kDecoupled>)       \
  KERNEL("", Momentum<Decay::kCoupled>)                                \
  KERNEL("first_step=damped", Momentum<Decay::kCoupled, true>)         \
  KERNEL("decay=decoupled", Momentum<Decay::kDecoupled>)               \
  KERNEL("momentum_form=lr_inside", Momentum<Decay::kCoupled, false, Form::kLrInside>)
