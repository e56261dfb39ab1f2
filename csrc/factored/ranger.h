// Ranger (Wright 2019), of gradients less the means of their rows: RAdam within Lookahead:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  m_hat = m / (1 - beta1^t)
//   fast = p (1 - lr weight_decay) - lr r sqrt(1 - beta2^t) m_hat / (sqrt(v) + eps) if rho > 5,
//       else p (1 - lr weight_decay) - lr m_hat
//   every k steps slow = (1 - alpha) slow + alpha fast,  p = slow
//   in the others p = fast
// Two passes: sums for the means; the step. What has no means is seen as a vector.
#pragma once

#include "../rules/common/decay_before.h"
#include "../rules/common/rectified.h"
#include "factored.h"

namespace truestep::factored::ranger {

// By their place in the reference's lists.
enum Decay { kBefore, kCoupled, kUnscaled };
enum Unrectified { kMomentum, kUphill };

struct Ranger : Factored {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps alpha k weight_decay maximize decay unrectified";
  static constexpr const char* kStates = "m v slow";
  static constexpr const char* kRows = "-";
  static constexpr const char* kColumns = "-";
  static constexpr const char* kVectors = "-";
  static constexpr Pass kPasses[] = {{true, false, 0, false, false},
                                     {false, false, 0, true, false}};
  struct Hyper {
    double lr, beta1, beta2, eps, alpha, k, weight_decay, maximize, decay, unrectified;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1;                     // what m is multiplied by
    float shrink;                          // the root of 1 - beta2^t
    float r, lr, eps, sign;
    float alpha, kept;  // kept: 1 - alpha
    float plain;        // what the step is multiplied by until it is adaptive
    bool adaptive, syncs;
    rules::DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const rules::Rectified rectified = rules::rectified(h.beta2, t, rules::kAbove5);
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.shrink = rounded(sqrt(1.0 - pow(h.beta2, t)));
    c.adaptive = rectified.adaptive, c.r = rectified.r;
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.alpha = rounded(h.alpha), c.kept = rounded(1.0 - h.alpha);
    c.plain = h.unrectified == kUphill ? -1.0f : 1.0f;
    c.syncs = fmod(t, h.k) == 0.0;
    c.decay = rules::decay_before(h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay,
                                  h.decay == kCoupled);
    return c;
  }

  // row: its mean; column: 1, or 0 where there is none.
  template <int pass>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, float& m, float& v, float& slow) {
    g = c.sign * g;
    if constexpr (pass == 0) {
      add.side = g;
    } else {
      g = g - (column != 0.0f ? row : 0.0f);
      rules::decay(c.decay, g, p);
      m = c.beta1 * m + c.weight1 * g;
      v = c.beta2 * v + c.weight2 * (g * g);
      const float m_hat = m * c.correction1;
      const float adapted = c.r * (m_hat * (c.shrink / (root_of(v) + c.eps)));
      const float fast = p - c.lr * (c.adaptive ? adapted : c.plain * m_hat);
      const float blended = c.kept * slow + c.alpha * fast;
      slow = c.syncs ? blended : slow;
      p = c.syncs ? blended : fast;
    }
  }

  template <int pass>
  static void side(const Constants&, Line, double sum, double terms, float* state) {
    if constexpr (pass == 0) state[0] = rounded(sum / terms);
  }

  template <int pass>
  static float factor(const Constants&, Line line, float before, const float* state,
                      const double*) {
    if constexpr (pass != 0) return before;
    return line == Line::kRow ? state[0] : line == Line::kColumn ? 1.0f : 0.0f;
  }
};

}  // namespace truestep::factored::ranger

#define TRUESTEP_KERNELS(KERNEL)            \
  KERNEL("", Ranger)                        \
  KERNEL("decay=coupled", Ranger)           \
  KERNEL("decay=unscaled", Ranger)          \
  KERNEL("unrectified=uphill", Ranger)      \
  KERNEL("centralize=convolutions", Ranger) \
  KERNEL("centralize=none", Ranger)
