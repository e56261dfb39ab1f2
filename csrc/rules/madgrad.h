// MADGRAD (Defazio & Jelassi 2021), of g + weight_decay p as g:
//   s = s + lr sqrt(t) g,  v = v + lr sqrt(t) g^2
//   z = p0 - s / (v^(1/3) + eps)
//   p = momentum p + (1 - momentum) z
#pragma once

#include "../formats/powers.h"
#include "rule.h"

namespace truestep::rules::madgrad {

enum class Decay { kCoupled, kDecoupled };
enum class Form { kDirect, kAdded };
enum class Start { kKept, kRecovered };
// By their place in the reference's lists.
enum Guard { kNone, kStill };
enum Rate { kPlain, kWithEps, kWithEpsButZero };

template <Decay kDecay = Decay::kCoupled, Form kForm = Form::kDirect, Start kStart = Start::kKept>
struct Madgrad : Elementwise {
  static constexpr const char* kHyper = "lr momentum eps weight_decay maximize guard rate";
  static constexpr const char* kStates = "s v";
  static constexpr const char* kInputs = "p0";
  struct Hyper {
    double lr, momentum, eps, weight_decay, maximize, guard, rate;
  };
  struct Constants {
    float weight;  // of g and of its square
    float eps, momentum, rest, sign;
    float decay;  // weight_decay, or the rate's product with it
    bool still;   // a root of 0 divides as infinity does
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool plain = h.rate == kPlain || (h.rate == kWithEpsButZero && h.lr == 0.0);
    const double rate = plain ? h.lr : h.lr + h.eps;
    Constants c;
    c.weight = rounded(rate * sqrt(t));
    c.eps = rounded(h.eps);
    c.momentum = rounded(h.momentum), c.rest = rounded(1.0 - h.momentum);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : rate * h.weight_decay);
    c.still = h.guard == kStill && h.eps == 0.0;
    return c;
  }

  // The way from the first point to z.
  TRUESTEP_HD float moved(const Constants& c, float s, float v) {
    const float root = cube_root_of(v) + c.eps;
    return s / (c.still && v == 0.0f ? float_of(kInfiniteBits) : root);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float p0, float& s, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kStart == Start::kRecovered) p0 = p + moved(c, s, v);
    s = s + c.weight * g;
    v = v + c.weight * (g * g);
    const float z = p0 - moved(c, s, v);
    float next = c.momentum * p + c.rest * z;
    if constexpr (kForm == Form::kAdded) next = p + (next - p);
    if constexpr (kDecay == Decay::kDecoupled) next = next - c.decay * p;
    p = next;
  }
};

}  // namespace truestep::rules::madgrad

#define TRUESTEP_KERNELS(KERNEL)                                                           \
  KERNEL("", Madgrad<>)                                                                    \
  KERNEL("rate=with_eps", Madgrad<>)                                                       \
  KERNEL("form=added rate=with_eps", Madgrad<Decay::kCoupled, Form::kAdded>)               \
  KERNEL("guard=still rate=with_eps_but_zero", Madgrad<>)                                  \
  KERNEL("decay=decoupled guard=still rate=with_eps_but_zero", Madgrad<Decay::kDecoupled>) \
  KERNEL("guard=still rate=with_eps_but_zero start=recovered",                             \
         Madgrad<Decay::kCoupled, Form::kDirect, Start::kRecovered>)
