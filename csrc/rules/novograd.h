// NovoGrad (Ginsburg et al. 2019):
//   v = norm(g)^2 in the first step, then beta2 v + (1 - beta2) norm(g)^2
//   u = g / (sqrt(v) + eps) + weight_decay p
//   m = u in the first step, then beta1 m + u
//   p = p - lr m
// The norm is of the gradient alone, so one pass reads and a second one writes.
#pragma once

#include "rule.h"

namespace truestep::rules::novograd {

enum class Decay { kInMomentum, kBefore, kUnscaled };
// By their place in the reference's lists.
enum Form { kSum, kAverage, kAverageLater };
enum Start { kFirst, kWhileZero };

template <Decay kDecay>
struct NovoGrad : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay maximize form start";
  static constexpr const char* kStates = "m";
  static constexpr const char* kNumbers = "v";
  static constexpr int kSums = 1;  // g^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, form, start;
  };
  struct Constants {
    float beta1, weight1;  // of the old momentum and of what enters it
    float divisor;
    float lr, sign;
    float decay;  // weight_decay, or what p is multiplied by
    bool first;   // the momentum is what enters it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.first = t == 1.0 && h.form != kAverage;
    c.beta1 = rounded(h.beta1);
    c.weight1 = rounded(c.first || h.form == kSum ? 1.0 : 1.0 - h.beta1);
    c.divisor = 1.0f;
    c.lr = rounded(h.lr);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kInMomentum ? h.weight_decay
                      : kDecay == Decay::kBefore   ? 1.0 - h.lr * h.weight_decay
                                                   : 1.0 - h.weight_decay);
    return c;
  }

  TRUESTEP_HD void sums(const Constants&, float g, float, float, double (&addend)[kSums]) {
    addend[0] = exact_product(g, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* numbers,
                          Constants& c) {
    double& v = numbers[0];
    const bool fresh = h.start == kWhileZero ? v == 0.0 : t == 1.0;
    v = fresh ? sum[0] : h.beta2 * v + (1.0 - h.beta2) * sum[0];
    c.divisor = rounded(sqrt(v) + h.eps);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m) {
    float u = c.sign * g / c.divisor;
    if constexpr (kDecay == Decay::kInMomentum) {
      u = u + c.decay * p;
    } else {
      p = p * c.decay;
    }
    const float entering = c.weight1 * u;
    m = c.first ? entering : c.beta1 * m + entering;
    p = p - c.lr * m;
  }
};

}  // namespace truestep::rules::novograd

#define TRUESTEP_KERNELS(KERNEL)                                        \
  KERNEL("", NovoGrad<Decay::kInMomentum>)                              \
  KERNEL("form=average", NovoGrad<Decay::kInMomentum>)                  \
  KERNEL("form=average_later", NovoGrad<Decay::kInMomentum>)            \
  KERNEL("start=while_zero", NovoGrad<Decay::kInMomentum>)              \
  KERNEL("form=average start=while_zero", NovoGrad<Decay::kInMomentum>) \
  KERNEL("decay=before", NovoGrad<Decay::kBefore>)                      \
  KERNEL("decay=unscaled", NovoGrad<Decay::kUnscaled>)
