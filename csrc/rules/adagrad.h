// AdaGrad, diagonal form (Duchi, Hazan & Singer 2011):
//   g = g + weight_decay p                           decay "coupled"
//   total = total + g^2
//   p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(total) + eps)
#pragma once

#include "rule.h"

namespace truestep::rules::adagrad {

enum class Decay { kCoupled, kBefore };
enum class Eps { kOutside, kInside };
enum class Guard { kNone, kStill };

template <Decay kDecay, Eps kEps = Eps::kOutside, Guard kGuard = Guard::kNone>
struct AdaGrad : Elementwise {
  static constexpr const char* kHyper = "lr lr_decay weight_decay eps maximize";
  static constexpr const char* kStates = "total";
  struct Hyper {
    double lr, lr_decay, weight_decay, eps, maximize;
  };
  struct Constants {
    float lr;  // of this step
    float eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double lr = h.lr / (1.0 + (t - 1.0) * h.lr_decay);
    Constants c;
    c.lr = rounded(lr);
    c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - lr * h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& total) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) {
      g = g + c.decay * p;
    } else {
      p = p * c.decay;
    }
    total = total + g * g;
    float update;
    if constexpr (kEps == Eps::kOutside) {
      update = g / (root_of(total) + c.eps);
    } else {
      update = g / root_of(total + c.eps);
    }
    // 0 g, and not 0, so that nan stays nan.
    if constexpr (kGuard == Guard::kStill) update = total > 0.0f ? update : 0.0f * g;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::adagrad

#define TRUESTEP_KERNELS(KERNEL)                                                     \
  KERNEL("", AdaGrad<Decay::kCoupled>)                                               \
  KERNEL("decay=before", AdaGrad<Decay::kBefore>)                                    \
  KERNEL("decay=before eps_placement=inside", AdaGrad<Decay::kBefore, Eps::kInside>) \
  KERNEL("eps_placement=inside guard=still", AdaGrad<Decay::kCoupled, Eps::kInside, Guard::kStill>)
