// MoMo-Adam (Schaipp et al. 2023), of the function's value; a = 1 + lr weight_decay:
//   f = beta1 f + (1 - beta1) value,  c = beta1 c + (1 - beta1) <g, p>
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   u = m / (eps + sqrt(v / (1 - beta2^t))),  w = 1 - beta1^t
//   gap = max(a (f - w bound - c) + <m, p>, 0)
//   step = min(lr / w, gap / <m, u>)
//   p = (p - step u) / a
#pragma once

#include "common/linear_model.h"

namespace truestep::rules::momo_adam {

// By their place in the reference's lists.
enum Bound { kGiven, kAdapted };
enum Decay { kProximal, kBefore, kInStep };
enum Guard { kZero, kSmall };

struct MomoAdam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps lower_bound weight_decay bound decay guard";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kNumbers = "f c bound value";
  static constexpr int kSums = 3;  // g p, m u, m p
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, lower_bound, weight_decay, bound, decay, guard;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction2;                     // what v is multiplied by
    float eps;
    float step;
    float shrink, after;  // what p is multiplied by before the step and after it
    float pull;           // what of p is in one sum with it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double decay = h.lr * h.weight_decay, a = 1.0 + decay;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction2 = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.eps = rounded(h.eps);
    c.step = 0.0f;
    c.shrink = rounded(h.decay == kBefore ? 1.0 - decay : 1.0);
    c.pull = rounded(h.decay == kInStep ? decay / a : 0.0);
    c.after = rounded(h.decay == kProximal ? 1.0 / a : 1.0);
    return c;
  }

  // The direction, with m and v refreshed.
  TRUESTEP_HD float direction(const Constants& c, float g, float& m, float& v) {
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    return m / (c.eps + root_of(v * c.correction2));
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, float v,
                        double (&addend)[kSums]) {
    const float u = direction(c, g, m, v);
    addend[0] = exact_product(g, p);
    addend[1] = exact_product(m, u);
    addend[2] = exact_product(m, p);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* numbers,
                          Constants& c) {
    numbers[0] = h.beta1 * numbers[0] + (1.0 - h.beta1) * numbers[3];
    numbers[1] = h.beta1 * numbers[1] + (1.0 - h.beta1) * sum[0];
    const LinearModel model = {numbers[0],
                               numbers[1],
                               sum[1],
                               sum[2],
                               1.0 - pow(h.beta1, t),
                               h.lr,
                               1.0 + h.lr * h.weight_decay,
                               h.lower_bound,
                               h.bound == kAdapted,
                               h.guard == kSmall ? 0x1p-52 : 0.0};
    c.step = rounded(model_step(model, numbers[2]));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    const float u = direction(c, g, m, v);
    const float move = c.step * u;
    p = (p * c.shrink - (c.pull != 0.0f ? c.pull * p + move : move)) * c.after;
  }
};

}  // namespace truestep::rules::momo_adam

#define TRUESTEP_KERNELS(KERNEL)                \
  KERNEL("", MomoAdam)                          \
  KERNEL("bound=adapted", MomoAdam)             \
  KERNEL("decay=before", MomoAdam)              \
  KERNEL("decay=in_step guard=small", MomoAdam) \
  KERNEL("bound=adapted decay=in_step guard=small", MomoAdam)
