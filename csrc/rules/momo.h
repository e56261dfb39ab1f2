// MoMo (Schaipp et al. 2023), of the function's value; a = 1 + lr weight_decay:
//   f = beta f + (1 - beta) value,  c = beta c + (1 - beta) <g, p>
//   m = beta m + (1 - beta) g
//   gap = max(a (f - bound - c) + <m, p>, 0)
//   step = min(lr, gap / norm(m)^2)
//   p = (p - step m) / a
// with beta = 0 in the first step, or bound and lr times and over 1 - beta^t.
#pragma once

#include "common/linear_model.h"

namespace truestep::rules::momo {

// By their place in the reference's lists.
enum Bound { kGiven, kAdapted };
enum Decay { kProximal, kInStep };
enum Guard { kZero, kSmall };
enum Start { kFirst, kFromZero };

struct Momo : Elementwise {
  static constexpr const char* kHyper = "lr beta lower_bound weight_decay bound decay guard start";
  static constexpr const char* kStates = "m";
  static constexpr const char* kNumbers = "f c bound value";
  static constexpr int kSums = 3;  // g p, m^2, m p
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta, lower_bound, weight_decay, bound, decay, guard, start;
  };
  struct Constants {
    float beta, weight;  // weight: 1 - beta
    float step;
    float pull;   // what of p is in one sum with the step
    float after;  // what p is multiplied by after it
  };

  // The memory of the step's averages.
  TRUESTEP_HD double memory(const Hyper& h, double t) {
    return h.start == kFirst && t == 1.0 ? 0.0 : h.beta;
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double beta = memory(h, t), a = 1.0 + h.lr * h.weight_decay;
    const bool proximal = h.decay == kProximal;
    Constants c;
    c.beta = rounded(beta), c.weight = rounded(1.0 - beta);
    c.step = 0.0f;
    c.pull = rounded(proximal ? 0.0 : h.lr * h.weight_decay / a);
    c.after = rounded(proximal ? 1.0 / a : 1.0);
    return c;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, double (&addend)[kSums]) {
    m = c.beta * m + c.weight * g;
    addend[0] = exact_product(g, p);
    addend[1] = exact_product(m, m);
    addend[2] = exact_product(m, p);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* numbers,
                          Constants& c) {
    const double beta = memory(h, t);
    numbers[0] = beta * numbers[0] + (1.0 - beta) * numbers[3];
    numbers[1] = beta * numbers[1] + (1.0 - beta) * sum[0];
    const LinearModel model = {numbers[0],
                               numbers[1],
                               sum[1],
                               sum[2],
                               h.start == kFromZero ? 1.0 - pow(h.beta, t) : 1.0,
                               h.lr,
                               1.0 + h.lr * h.weight_decay,
                               h.lower_bound,
                               h.bound == kAdapted,
                               h.guard == kSmall ? 0x1p-52 : 0.0};
    c.step = rounded(model_step(model, numbers[2]));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    m = c.beta * m + c.weight * g;
    const float move = c.step * m;
    p = (p - (c.pull != 0.0f ? c.pull * p + move : move)) * c.after;
  }
};

}  // namespace truestep::rules::momo

#define TRUESTEP_KERNELS(KERNEL)            \
  KERNEL("", Momo)                          \
  KERNEL("bound=adapted", Momo)             \
  KERNEL("start=zero", Momo)                \
  KERNEL("bound=adapted start=zero", Momo)  \
  KERNEL("decay=in_step guard=small", Momo) \
  KERNEL("bound=adapted decay=in_step guard=small", Momo)
