// The update of LOMO (Lv et al. 2023):
//   g = g / loss_scale
//   g = g min(1, clip_norm / (norm(g) + eps)) when clipping by norm
//   p = p (1 - lr weight_decay) - lr g
#pragma once

#include "rule.h"

namespace truestep::rules::lomo {

enum class Clip { kNone, kValue, kNorm, kBoth };

template <Clip kClip = Clip::kNone, bool kSkips = false>
struct Lomo : Elementwise {
  static constexpr const char* kHyper =
      "lr weight_decay clip_norm clip_value eps loss_scale maximize";
  static constexpr const char* kStates = "";
  static constexpr bool kByValue = kClip == Clip::kValue || kClip == Clip::kBoth;
  static constexpr bool kByNorm = kClip == Clip::kNorm || kClip == Clip::kBoth;
  struct Hyper {
    double lr, weight_decay, clip_norm, clip_value, eps, loss_scale, maximize;
  };
  struct Constants {
    float lr;
    float decay;       // 1 - lr weight_decay
    float loss_scale;  // negated when maximizing
    float clip_value;
    float scale;  // of the gradient, by its norm
    bool skips;   // the step leaves p as it is
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.decay = rounded(1.0 - h.lr * h.weight_decay);
    c.loss_scale = rounded(h.maximize != 0.0 ? -h.loss_scale : h.loss_scale);
    c.clip_value = rounded(h.clip_value);
    c.scale = 1.0f;
    c.skips = false;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    g = g / c.loss_scale;
    if constexpr (kByValue) g = smaller(larger(g, -c.clip_value), c.clip_value);
    if constexpr (kByNorm) g = g * c.scale;
    const float moved = p * c.decay - c.lr * g;
    p = kSkips && c.skips ? p : moved;
  }
};

// With what takes a pass over the gradient first: its norm, or whether all of it is finite.
template <Clip kClip, bool kSkips = false>
struct MeasuredLomo : Lomo<kClip, kSkips> {
  using Base = Lomo<kClip, kSkips>;
  using typename Base::Constants;
  using typename Base::Hyper;
  static constexpr int kSums = 2;  // the square of g, the number of nan and infinities
  static constexpr bool kFinishes = true;

  TRUESTEP_HD void sums(const Constants& c, float g, float, double (&addend)[kSums]) {
    const float scaled = g / c.loss_scale;
    addend[0] = exact_product(scaled, scaled);
    addend[1] = is_finite(g) ? 0.0 : 1.0;
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double*,
                          Constants& c) {
    const double scale = h.clip_norm / (sqrt(sum[0]) + h.eps);
    c.scale = rounded(scale > 1.0 ? 1.0 : scale);
    c.skips = sum[1] > 0.0;
  }
};

}  // namespace truestep::rules::lomo

#define TRUESTEP_KERNELS(KERNEL)                 \
  KERNEL("", Lomo<>)                             \
  KERNEL("clip=value", Lomo<Clip::kValue>)       \
  KERNEL("clip=norm", MeasuredLomo<Clip::kNorm>) \
  KERNEL("clip=both", MeasuredLomo<Clip::kBoth>) \
  KERNEL("overflow=skip", MeasuredLomo<Clip::kNone, true>)
