// Signum (Bernstein et al. 2018):
//   m = momentum m + (1 - momentum) g
//   p = p - lr (sign(m) + weight_decay p)
#pragma once

#include "rule.h"

namespace truestep::rules::signum {

enum class Decay { kInStep, kBefore, kCoupled };
enum class NanSign { kNan, kZero };
// By its place in the reference's list.
enum Buffer { kAverage, kSum };

template <Decay kDecay, NanSign kNanSign = NanSign::kNan>
struct Signum : Elementwise {
  static constexpr const char* kHyper = "lr momentum weight_decay maximize buffer";
  static constexpr const char* kStates = "m";
  struct Hyper {
    double lr, momentum, weight_decay, maximize, buffer;
  };
  struct Constants {
    float lr, momentum, sign;
    float weight;  // of what enters m
    float decay;   // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.momentum = rounded(h.momentum);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.weight = rounded(h.buffer == kSum ? 1.0 : 1.0 - h.momentum);
    c.decay = rounded(kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    m = c.momentum * m + c.weight * g;
    float update = sign_of(m);
    if constexpr (kNanSign == NanSign::kZero) update = is_nan(update) ? 0.0f : update;
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::signum

#define TRUESTEP_KERNELS(KERNEL)                                               \
  KERNEL("", Signum<Decay::kInStep>)                                           \
  KERNEL("buffer=sum", Signum<Decay::kInStep>)                                 \
  KERNEL("decay=before", Signum<Decay::kBefore>)                               \
  KERNEL("decay=coupled", Signum<Decay::kCoupled>)                             \
  KERNEL("decay=before nan_sign=zero", Signum<Decay::kBefore, NanSign::kZero>) \
  KERNEL("decay=coupled nan_sign=zero", Signum<Decay::kCoupled, NanSign::kZero>)
