// COCOB-Backprop (Orabona & Tommasi 2017), of lr (g + weight_decay p) as g:
//   size = max(size, |g|),  total = total + |g|
//   reward = max(reward - g (p - p0), 0)
//   s = s - g
//   p = p0 + s / (size max(total + size, alpha size)) (size + reward)
#pragma once

#include "rule.h"

namespace truestep::rules::cocob {

enum class Form { kDirect, kAdded };

template <Form kForm = Form::kDirect>
struct Cocob : Elementwise {
  static constexpr const char* kHyper = "lr alpha weight_decay maximize";
  static constexpr const char* kStates = "s size total reward";
  static constexpr const char* kInputs = "p0";
  struct Hyper {
    double lr, alpha, weight_decay, maximize;
  };
  struct Constants {
    float lr, alpha, decay, sign;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.alpha = rounded(h.alpha);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float p0, float& s, float& size,
                           float& total, float& reward) {
    g = c.lr * (c.sign * g + c.decay * p);
    size = larger(size, magnitude(g));
    total = total + magnitude(g);
    reward = larger(reward - g * (p - p0), 0.0f);
    s = s - g;
    const float share = s / (size * larger(total + size, c.alpha * size));
    const float moved = p0 + share * (size + reward);
    p = kForm == Form::kDirect ? moved : p + (moved - p);
  }
};

}  // namespace truestep::rules::cocob

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Cocob<>)            \
  KERNEL("form=added", Cocob<Form::kAdded>)
