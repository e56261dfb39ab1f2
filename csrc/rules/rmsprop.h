// RMSProp (Tieleman & Hinton 2012), with Graves's centering and momentum:
//   g = g + weight_decay p                           decay "coupled"
//   v = alpha v + (1 - alpha) g^2,  mean = alpha mean + (1 - alpha) g
//   d = g / (sqrt(max(v - mean^2, 0)) + eps), without centering g / (sqrt(v) + eps)
//   b = momentum b + d,  p = p - lr b, without momentum p - lr d
// Where a moment is not corrected for its start it is multiplied by 1, which rounds nothing.
// Over 120 lines: kernels apart for what goes without centering or momentum.
#pragma once

#include "rule.h"

namespace truestep::rules::rmsprop {

enum class Decay { kCoupled, kBefore };
enum class Eps { kOutside, kInside, kFloor };
enum class Form { kLrOutside, kLrInside };
// By their place in the reference's list.
enum Correction { kNone, kBoth, kInAverage };

// Without centering and without momentum: mean and b are neither read nor written.
template <Decay kDecay, Eps kEps = Eps::kOutside>
struct Plain : Elementwise {
  static constexpr const char* kHyper =
      "lr alpha eps weight_decay momentum centered maximize bias_correction";
  static constexpr const char* kStates = "v";
  struct Hyper {
    double lr, alpha, eps, weight_decay, momentum, centered, maximize, bias_correction;
  };
  struct Constants {
    float kept, entering;  // weights of the old average and of what enters it
    float correction;      // what v and mean are multiplied by
    float lr, eps, momentum, sign;
    float decay;            // weight_decay, or 1 - lr weight_decay where p is multiplied by it
    float centered, moved;  // switches, 0 or 1; moved: with momentum
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left = 1.0 - pow(h.alpha, t);
    const bool in_average = h.bias_correction == kInAverage;
    const double entering = (1.0 - h.alpha) / (in_average ? left : 1.0);
    Constants c;
    c.kept = rounded(in_average ? 1.0 - entering : h.alpha), c.entering = rounded(entering);
    c.correction = rounded(h.bias_correction == kBoth ? 1.0 / left : 1.0);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.momentum = rounded(h.momentum);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kCoupled ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    c.centered = rounded(h.centered), c.moved = h.momentum > 0.0 ? 1.0f : 0.0f;
    return c;
  }

  // The gradient, with p decayed where that comes first.
  TRUESTEP_HD float decayed(const Constants& c, float g, float& p) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) return g + c.decay * p;
    p = p * c.decay;
    return g;
  }

  // What the gradient is divided by the root of, with v and the mean refreshed.
  TRUESTEP_HD float square_of(const Constants& c, float g, float& v) {
    v = c.kept * v + c.entering * (g * g);
    return v * c.correction;
  }

  TRUESTEP_HD float variance_of(const Constants& c, float g, float& v, float& mean) {
    const float square = square_of(c, g, v);
    mean = c.kept * mean + c.entering * g;
    const float mean_hat = mean * c.correction;
    return larger(square - mean_hat * mean_hat, 0.0f);
  }

  TRUESTEP_HD float normalised(const Constants& c, float g, float variance) {
    if constexpr (kEps == Eps::kOutside) {
      return g / (root_of(variance) + c.eps);
    } else if constexpr (kEps == Eps::kInside) {
      return g / root_of(variance + c.eps);
    } else {
      return g / larger(root_of(variance), c.eps);
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& v) {
    g = decayed(c, g, p);
    p = p - c.lr * normalised(c, g, square_of(c, g, v));
  }
};

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct Centered : Plain<kDecay, kEps> {
  using Base = Plain<kDecay, kEps>;
  static constexpr const char* kStates = "v mean";

  TRUESTEP_HD void element(const typename Base::Constants& c, float g, float& p, float& v,
                           float& mean) {
    g = Base::decayed(c, g, p);
    p = p - c.lr * Base::normalised(c, g, Base::variance_of(c, g, v, mean));
  }
};

template <Decay kDecay, Eps kEps, Form kForm>
struct Momentum : Plain<kDecay, kEps> {
  using Base = Plain<kDecay, kEps>;
  static constexpr const char* kStates = "v b";

  TRUESTEP_HD void move(const typename Base::Constants& c, float d, float& p, float& b) {
    if constexpr (kForm == Form::kLrOutside) {
      b = c.moved > 0.0f ? c.momentum * b + d : b;
      p = p - c.lr * (c.moved > 0.0f ? b : d);
    } else {
      b = c.moved > 0.0f ? c.momentum * b + c.lr * d : b;
      p = p - (c.moved > 0.0f ? b : c.lr * d);
    }
  }

  TRUESTEP_HD void element(const typename Base::Constants& c, float g, float& p, float& v,
                           float& b) {
    g = Base::decayed(c, g, p);
    move(c, Base::normalised(c, g, Base::square_of(c, g, v)), p, b);
  }
};

// Whatever is to be done: centering or momentum, or both, or neither.
template <Decay kDecay, Eps kEps, Form kForm>
struct Full : Momentum<kDecay, kEps, kForm> {
  using Base = Momentum<kDecay, kEps, kForm>;
  static constexpr const char* kStates = "v mean b";

  TRUESTEP_HD void element(const typename Base::Constants& c, float g, float& p, float& v,
                           float& mean, float& b) {
    g = Base::decayed(c, g, p);
    // Selected, not branched on, so that the loop over elements has no branches.
    float average = mean;
    const float variance = Base::variance_of(c, g, v, average);
    mean = c.centered > 0.0f ? average : mean;
    Base::move(c, Base::normalised(c, g, c.centered > 0.0f ? variance : v * c.correction), p, b);
  }
};

}  // namespace truestep::rules::rmsprop

#define TRUESTEP_KERNELS(KERNEL)                                                            \
  KERNEL("centered=0 momentum=0", Plain<Decay::kCoupled>)                                   \
  KERNEL("centered=0", Momentum<Decay::kCoupled, Eps::kOutside, Form::kLrOutside>)          \
  KERNEL("momentum=0", Centered<Decay::kCoupled>)                                           \
  KERNEL("", Full<Decay::kCoupled, Eps::kOutside, Form::kLrOutside>)                        \
  KERNEL("centered=0 momentum=0 decay=before eps_placement=inside momentum_form=lr_inside", \
         Plain<Decay::kBefore, Eps::kInside>)                                               \
  KERNEL("decay=before eps_placement=inside momentum_form=lr_inside",                       \
         Full<Decay::kBefore, Eps::kInside, Form::kLrInside>)                               \
  KERNEL("centered=0 momentum=0 eps_placement=inside momentum_form=lr_inside",              \
         Plain<Decay::kCoupled, Eps::kInside>)                                              \
  KERNEL("eps_placement=inside momentum_form=lr_inside",                                    \
         Full<Decay::kCoupled, Eps::kInside, Form::kLrInside>)                              \
  KERNEL("bias_correction=both momentum_form=lr_inside",                                    \
         Full<Decay::kCoupled, Eps::kOutside, Form::kLrInside>)                             \
  KERNEL("bias_correction=in_average eps_placement=floor",                                  \
         Full<Decay::kCoupled, Eps::kFloor, Form::kLrOutside>)
