// Nesterov's accelerated gradient (Nesterov 1983; Sutskever et al. 2013), g taken at
// q = p + momentum u:
//   g = g + weight_decay q                           decay "coupled"
//   u = momentum u - lr g
//   p = p + u
// Of the forms "torch" and "keras" p itself is the point q.
#pragma once

#include "rule.h"

namespace truestep::rules::nesterov {

enum class Decay { kCoupled, kDecoupled };
enum class Form { kLookahead, kTorch, kKeras };

template <Decay kDecay, Form kForm>
struct Nesterov : Elementwise {
  static constexpr const char* kHyper = "lr momentum weight_decay maximize";
  static constexpr const char* kStates = "u";
  struct Hyper {
    double lr, momentum, weight_decay, maximize;
  };
  struct Constants {
    float lr, momentum, sign;
    float decay;  // weight_decay, or lr weight_decay where it shrinks p
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double decay = h.weight_decay * (kDecay == Decay::kCoupled ? 1.0 : h.lr);
    return {rounded(h.lr), rounded(h.momentum), h.maximize != 0.0 ? -1.0f : 1.0f, rounded(decay)};
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& u) {
    const float q = kForm == Form::kLookahead ? p + c.momentum * u : p;
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * q;
    } else {
      p = p - c.decay * q;
    }
    if constexpr (kForm == Form::kLookahead) {
      u = c.momentum * u - c.lr * g;
      p = p + u;
    } else if constexpr (kForm == Form::kTorch) {
      u = c.momentum * u + g;
      p = p - c.lr * (g + c.momentum * u);
    } else {
      u = c.momentum * u - c.lr * g;
      p = p + c.momentum * u - c.lr * g;
    }
  }
};

}  // namespace truestep::rules::nesterov

#define TRUESTEP_KERNELS(KERNEL)                                                  \
  KERNEL("", Nesterov<Decay::kCoupled, Form::kLookahead>)                         \
  KERNEL("form=torch", Nesterov<Decay::kCoupled, Form::kTorch>)                   \
  KERNEL("decay=decoupled form=torch", Nesterov<Decay::kDecoupled, Form::kTorch>) \
  KERNEL("decay=decoupled form=keras", Nesterov<Decay::kDecoupled, Form::kKeras>)
