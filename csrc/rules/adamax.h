// Adamax (Kingma & Ba 2015, section 7.1):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   u = max(beta2 u, |g| + eps)
//   p = p - lr / (1 - beta1^t) m / u
// eps enters before the maximum or after it; 0 is added in the other place, which rounds nothing.
#pragma once

#include "rule.h"

namespace truestep::rules::adamax {

enum class Decay { kCoupled, kBefore, kInStep };
// By their place in the reference's list.
enum EpsPlacement { kInMaximum, kOutside };

template <Decay kDecay>
struct Adamax : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize eps_placement";
  static constexpr const char* kStates = "m u";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, eps_placement;
  };
  struct Constants {
    float beta1, weight1;  // weight1: 1 - beta1
    float beta2;
    float eps_before, eps_after;  // of the maximum
    float rate;                   // lr / (1 - beta1^t)
    float sign;
    float decay;  // weight_decay, or lr weight_decay of "in_step", or 1 - lr weight_decay
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool before = h.eps_placement == kInMaximum;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2);
    c.eps_before = rounded(before ? h.eps : 0.0);
    c.eps_after = rounded(before ? 0.0 : h.eps);
    c.rate = rounded(h.lr / (1.0 - pow(h.beta1, t)));
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled  ? h.weight_decay
                      : kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay
                                                 : h.lr * h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& u) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    m = c.beta1 * m + c.weight1 * g;
    u = larger(c.beta2 * u, magnitude(g) + c.eps_before);
    float move = c.rate * (m / (u + c.eps_after));
    if constexpr (kDecay == Decay::kInStep) move = move + c.decay * p;
    p = p - move;
  }
};

}  // namespace truestep::rules::adamax

#define TRUESTEP_KERNELS(KERNEL)                                       \
  KERNEL("", Adamax<Decay::kCoupled>)                                  \
  KERNEL("decay=before", Adamax<Decay::kBefore>)                       \
  KERNEL("decay=before eps_placement=outside", Adamax<Decay::kBefore>) \
  KERNEL("decay=in_step", Adamax<Decay::kInStep>)
