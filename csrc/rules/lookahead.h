// Lookahead (Zhang et al. 2019) around SGD with momentum, of g + weight_decay p as g:
//   b = momentum b + g,  fast = p - lr b
//   every k steps slow = (1 - alpha) slow + alpha fast,  p = slow
//   in the others p = fast
// What a synchronizing step does is chosen element by element, so that loops are the same for all.
#pragma once

#include "rule.h"

namespace truestep::rules::lookahead {

enum class Form { kDirect, kAdded };
enum class Pullback { kNone, kPullback, kReset };
// A choice of the constants alone, by its place in the reference's list.
enum Sync { kLast, kFirst };

template <Form kForm = Form::kDirect, Pullback kPullback = Pullback::kNone>
struct Lookahead : Elementwise {
  static constexpr const char* kHyper = "lr momentum alpha k weight_decay maximize sync";
  static constexpr const char* kStates =
      kPullback == Pullback::kPullback ? "b slow slow_b" : "b slow";
  struct Hyper {
    double lr, momentum, alpha, k, weight_decay, maximize, sync;
  };
  struct Constants {
    float lr, momentum, decay, sign;
    float alpha, kept;  // kept: 1 - alpha
    bool syncs;
    bool starts;  // slow is the first fast point
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.lr = rounded(h.lr), c.momentum = rounded(h.momentum), c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.alpha = rounded(h.alpha), c.kept = rounded(1.0 - h.alpha);
    c.syncs = fmod(h.sync == kLast ? t : t - 1.0, h.k) == 0.0;
    c.starts = h.sync == kFirst && t == 1.0;
    return c;
  }

  // The fast point, of the momentum that it refreshes.
  TRUESTEP_HD float advanced(const Constants& c, float g, float p, float& b) {
    g = c.sign * g + c.decay * p;
    b = c.momentum * b + g;
    return p - c.lr * b;
  }

  TRUESTEP_HD void land(const Constants& c, float fast, float& p, float& slow) {
    const float start = c.starts ? fast : slow;
    if constexpr (kForm == Form::kDirect) {
      const float blended = c.kept * start + c.alpha * fast;
      slow = c.syncs ? blended : start;
      p = c.syncs ? blended : fast;
    } else {
      const float way = fast - start, change = (fast - p) - c.kept * way;
      slow = c.syncs ? start + c.alpha * way : start;
      p = c.syncs ? p + change : fast;
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b, float& slow) {
    land(c, advanced(c, g, p, b), p, slow);
    if constexpr (kPullback == Pullback::kReset) b = c.syncs ? 0.0f : b;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b, float& slow,
                           float& slow_b) {
    land(c, advanced(c, g, p, b), p, slow);
    const float blended = c.kept * slow_b + c.alpha * b;
    b = c.syncs ? blended : b;
    slow_b = c.syncs ? blended : slow_b;
  }
};

}  // namespace truestep::rules::lookahead

#define TRUESTEP_KERNELS(KERNEL)                                                 \
  KERNEL("", Lookahead<>)                                                        \
  KERNEL("pullback=reset", Lookahead<Form::kDirect, Pullback::kReset>)           \
  KERNEL("pullback=pullback", Lookahead<Form::kDirect, Pullback::kPullback>)     \
  KERNEL("form=added", Lookahead<Form::kAdded>)                                  \
  KERNEL("form=added pullback=reset", Lookahead<Form::kAdded, Pullback::kReset>) \
  KERNEL("sync=first", Lookahead<>)                                              \
  KERNEL("pullback=reset sync=first", Lookahead<Form::kDirect, Pullback::kReset>)
