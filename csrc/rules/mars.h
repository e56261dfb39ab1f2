// MARS (Yuan et al. 2024), with the last gradient in the place of the second one:
//   c = g + gamma beta1 / (1 - beta1) (g - previous),  previous = g
//   c = c / max(norm(c), 1)
//   m = beta1 m + (1 - beta1) c,  v = beta2 v + (1 - beta2) c^2
//   p = p (1 - lr weight_decay) - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
// or, v being kept, by lr sign(m). The norm is of what the tensors hold before the step, so one
// pass reads and a second one writes.
#pragma once

#include "rule.h"

namespace truestep::rules::mars {

enum class Direction { kAdam, kSign };
// By their place in the reference's lists.
enum Decay { kBefore, kUnscaled };
enum Eps { kOutside, kBeforeCorrection };
enum NanSign { kNan, kZero };

template <Direction kDirection = Direction::kAdam>
struct Mars : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 gamma eps weight_decay maximize decay eps_placement nan_sign";
  static constexpr const char* kStates =
      kDirection == Direction::kAdam ? "m previous v" : "m previous";
  static constexpr int kSums = 1;  // c^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, gamma, eps, weight_decay, maximize, decay, eps_placement, nan_sign;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float change;                          // what the change of the gradient is multiplied by
    float limit;                           // what c is multiplied by
    float correction1;  // what m is multiplied by, with both corrections before eps
    float correction2;  // what v is multiplied by
    float lr, eps, sign;
    float decay;   // what p is multiplied by
    float of_nan;  // its sign
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool outside = h.eps_placement == kOutside;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.change = rounded(h.gamma * (h.beta1 / (1.0 - h.beta1)));
    c.limit = 1.0f;
    c.correction1 = rounded((outside ? 1.0 : sqrt(left2)) / left1);
    c.correction2 = rounded(outside ? 1.0 / left2 : 1.0);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(1.0 - (h.decay == kBefore ? h.lr * h.weight_decay : h.weight_decay));
    c.of_nan = h.nan_sign == kZero ? 0.0f : float_of(0x7fc00000u);
    return c;
  }

  // The gradient with its change, before the limit.
  TRUESTEP_HD float corrected(const Constants& c, float g, float previous) {
    return g + c.change * (g - previous);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float, float, float previous,
                        double (&addend)[kSums]) {
    const float whole = corrected(c, c.sign * g, previous);
    addend[0] = exact_product(whole, whole);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, float previous, float,
                        double (&addend)[kSums]) {
    sums(c, g, p, m, previous, addend);
  }

  TRUESTEP_HD void finish(const Hyper&, double, double, const double* sum, double*, Constants& c) {
    const double norm = sqrt(sum[0]);
    c.limit = rounded(norm <= 1.0 ? 1.0 : 1.0 / norm);
  }

  // The limited gradient, with m and previous refreshed and p decayed.
  TRUESTEP_HD float limited(const Constants& c, float g, float& p, float& m, float& previous) {
    g = c.sign * g;
    const float entering = corrected(c, g, previous) * c.limit;
    previous = g;
    m = c.beta1 * m + c.weight1 * entering;
    p = p * c.decay;
    return entering;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& previous) {
    limited(c, g, p, m, previous);
    const float update = sign_of(m);
    p = p - c.lr * (is_nan(update) ? c.of_nan : update);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& previous,
                           float& v) {
    const float entering = limited(c, g, p, m, previous);
    v = c.beta2 * v + c.weight2 * (entering * entering);
    p = p - c.lr * (m * c.correction1 / (root_of(v * c.correction2) + c.eps));
  }
};

}  // namespace truestep::rules::mars

#define TRUESTEP_KERNELS(KERNEL)                                   \
  KERNEL("", Mars<>)                                               \
  KERNEL("eps_placement=before_correction", Mars<>)                \
  KERNEL("decay=unscaled eps_placement=before_correction", Mars<>) \
  KERNEL("direction=sign", Mars<Direction::kSign>)                 \
  KERNEL("direction=sign nan_sign=zero", Mars<Direction::kSign>)   \
  KERNEL("decay=unscaled direction=sign nan_sign=zero", Mars<Direction::kSign>)
