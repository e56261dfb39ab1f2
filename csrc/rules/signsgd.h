// signSGD (Bernstein et al. 2018):
//   p = p - lr (sign(g) + weight_decay p)
#pragma once

#include "rule.h"

namespace truestep::rules::signsgd {

enum class Decay { kInStep, kBefore, kCoupled };
enum class NanSign { kNan, kZero };

template <Decay kDecay, NanSign kNanSign = NanSign::kNan>
struct SignSgd : Elementwise {
  static constexpr const char* kHyper = "lr weight_decay maximize";
  static constexpr const char* kStates = "";
  struct Hyper {
    double lr, weight_decay, maximize;
  };
  struct Constants {
    float lr, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double decay = kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay : h.weight_decay;
    return {rounded(h.lr), h.maximize != 0.0 ? -1.0f : 1.0f, rounded(decay)};
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    float update = sign_of(g);
    if constexpr (kNanSign == NanSign::kZero) update = is_nan(update) ? 0.0f : update;
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::signsgd

#define TRUESTEP_KERNELS(KERNEL)                                                \
  KERNEL("", SignSgd<Decay::kInStep>)                                           \
  KERNEL("decay=before", SignSgd<Decay::kBefore>)                               \
  KERNEL("decay=coupled", SignSgd<Decay::kCoupled>)                             \
  KERNEL("decay=before nan_sign=zero", SignSgd<Decay::kBefore, NanSign::kZero>) \
  KERNEL("decay=coupled nan_sign=zero", SignSgd<Decay::kCoupled, NanSign::kZero>)
