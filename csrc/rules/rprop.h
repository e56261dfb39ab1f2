// Rprop (Riedmiller & Braun 1993; Igel & Huesken 2000):
//   change = g prev
//   size = min(max(size eta, size_min), size_max), eta by the sign of change
//   p = p - size sign(g), or another step where change < 0
//   prev = g, or 0 where change < 0
#pragma once

#include "rule.h"

namespace truestep::rules::rprop {

enum class Turn { kRest, kBack, kOn };
enum class NanSign { kNan, kZero };
// Choices of the constants alone, by their place in the reference's lists.
enum Limits { kAlways, kChanged };
enum Memory { kGradient, kStep };

template <Turn kTurn, NanSign kNanSign = NanSign::kNan>
struct Rprop : Elementwise {
  static constexpr const char* kHyper =
      "eta_minus eta_plus size_min size_max maximize limits memory";
  static constexpr const char* kStates = "prev size";
  struct Hyper {
    double eta_minus, eta_plus, size_min, size_max, maximize, limits, memory;
  };
  struct Constants {
    float eta_minus, eta_plus;
    float size_min, size_max;
    float sign;        // of the gradient
    bool limits_same;  // sizes that do not change are held within the limits too
    bool keeps_step;   // prev is a step
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.eta_minus = rounded(h.eta_minus), c.eta_plus = rounded(h.eta_plus);
    c.size_min = rounded(h.size_min), c.size_max = rounded(h.size_max);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.limits_same = h.limits == kAlways;
    c.keeps_step = h.memory == kStep;
    return c;
  }

  TRUESTEP_HD float sign(float x) {
    const float s = sign_of(x);
    return kNanSign == NanSign::kZero && is_nan(s) ? 0.0f : s;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& prev, float& size) {
    g = c.sign * g;
    // 1, 0 or -1, or nan.
    const float change = sign(g * prev);
    const bool turned = change < 0.0f, same = change == 0.0f;
    const float eta = change > 0.0f ? c.eta_plus : same ? 1.0f : c.eta_minus;
    const float old = size;
    const float limited = smaller(larger(old * eta, c.size_min), c.size_max);
    size = same && !c.limits_same ? old : limited;
    const float kept = kTurn != Turn::kOn && turned ? 0.0f : g;
    const float next = size * sign(kept);
    float move = next;
    if constexpr (kTurn == Turn::kBack) move = turned ? -(old * sign(prev)) : move;
    p = p - move;
    prev = c.keeps_step ? next : kept;
  }
};

}  // namespace truestep::rules::rprop

#define TRUESTEP_KERNELS(KERNEL)                              \
  KERNEL("", Rprop<Turn::kRest>)                              \
  KERNEL("limits=changed memory=step", Rprop<Turn::kRest>)    \
  KERNEL("nan_sign=zero", Rprop<Turn::kRest, NanSign::kZero>) \
  KERNEL("turn=back", Rprop<Turn::kBack>)                     \
  KERNEL("turn=on", Rprop<Turn::kOn>)
