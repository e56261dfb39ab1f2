// LARS (You, Gitman & Ginsburg 2017):
//   trust = trust_coefficient norm(p) / (norm(g) + weight_decay norm(p) + eps)
//   b = momentum b + lr trust (g + weight_decay p)
//   p = p - b
#pragma once

#include "rule.h"

namespace truestep::rules::lars {

enum class Form { kLrInside, kLrOutside, kTrustOutside };
// Choices of the ratio alone, by their place in the reference's lists.
enum Adapts { kAlways, kWithDecay };
enum Clip { kNoClip, kBelow1 };
enum Guard { kZero, kOne, kDivisor, kUndecayed };
enum Ratio { kSumOfNorms, kNormOfSum };

template <Form kForm = Form::kLrInside>
struct Lars : Elementwise {
  static constexpr const char* kHyper =
      "lr momentum trust_coefficient weight_decay eps maximize adapts clip guard ratio";
  static constexpr const char* kStates = "b";
  // The squares of p, of g, and of what moves p, with its decay and without.
  static constexpr int kSums = 4;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, momentum, trust_coefficient, weight_decay, eps, maximize, adapts, clip, guard, ratio;
  };
  struct Constants {
    float lr, momentum, decay, trust;
    float sign;  // of the gradient
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.momentum = rounded(h.momentum);
    c.decay = rounded(h.weight_decay);
    c.trust = 1.0f;
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float b, double (&addend)[kSums]) {
    g = c.sign * g;
    float decayed = g + c.decay * p, undecayed = g;
    if constexpr (kForm == Form::kTrustOutside) {
      decayed = c.momentum * b + decayed;
      undecayed = c.momentum * b + undecayed;
    }
    addend[0] = exact_product(p, p);
    addend[1] = exact_product(g, g);
    addend[2] = exact_product(decayed, decayed);
    addend[3] = exact_product(undecayed, undecayed);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double*,
                          Constants& c) {
    const bool undecayed = h.guard == kUndecayed && sum[1] == 0.0;
    const bool alone = undecayed || (kForm != Form::kTrustOutside && h.ratio == kSumOfNorms);
    const double p_norm = sqrt(sum[0]), norm = sqrt(alone ? sum[3] : sum[2]);
    const double divisor =
        h.ratio == kSumOfNorms ? norm + h.weight_decay * p_norm + h.eps : norm + h.eps;
    double ratio = h.trust_coefficient * p_norm / (divisor == 0.0 ? 1.0 : divisor);
    if (h.clip == kBelow1 && !(ratio < 1.0)) ratio = 1.0;
    const bool guarded = h.guard == kOne || h.guard == kUndecayed;
    if (guarded && (p_norm == 0.0 || norm == 0.0)) ratio = 1.0;
    if (h.guard == kDivisor && !(p_norm > 0.0 && divisor > 0.0)) ratio = 1.0;
    if (h.adapts == kWithDecay && !(h.weight_decay > 0.0)) ratio = 1.0;
    c.trust = rounded(ratio);
    if (undecayed) c.decay = 0.0f;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& b) {
    const float decayed = c.sign * g + c.decay * p;
    if constexpr (kForm == Form::kLrInside) {
      b = c.momentum * b + c.lr * (c.trust * decayed);
      p = p - b;
    } else if constexpr (kForm == Form::kLrOutside) {
      b = c.momentum * b + c.trust * decayed;
      p = p - c.lr * b;
    } else {
      b = c.momentum * b + decayed;
      p = p - c.lr * (c.trust * b);
    }
  }
};

}  // namespace truestep::rules::lars

#define TRUESTEP_KERNELS(KERNEL)                                                               \
  KERNEL("", Lars<>)                                                                           \
  KERNEL("guard=one ratio=norm_of_sum", Lars<>)                                                \
  KERNEL("adapts=with_decay guard=undecayed momentum_form=lr_outside", Lars<Form::kLrOutside>) \
  KERNEL("guard=divisor momentum_form=lr_outside", Lars<Form::kLrOutside>)                     \
  KERNEL("clip=below_1 momentum_form=trust_outside ratio=norm_of_sum", Lars<Form::kTrustOutside>)
