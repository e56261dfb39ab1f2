// AdEMAMix (Pagliardini, Ablin & Grangier 2024):
//   m1 = beta1 m1 + (1 - beta1) g,  m2 = beta3_t m2 + (1 - beta3_t) g
//   v = beta2 v + (1 - beta2) g^2
//   update = (m1 / (1 - beta1^t) + alpha_t m2) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p - lr (update + weight_decay p)
// with alpha_t and beta3_t warmed up: they are numbers of the step.
#pragma once

#include "rule.h"

namespace truestep::rules::ademamix {

enum class Decay { kInStep, kBefore, kAfter, kCoupled };
enum class Eps { kOutside, kFloor };
// Choices of the constants alone, by their place in the reference's lists.
enum Correction { kMoments, kInAverage };
enum Counter { kFromOne, kFromZero };

template <Decay kDecay = Decay::kInStep, Eps kEps = Eps::kOutside>
struct AdEMAMix : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 beta3 alpha eps weight_decay alpha_warmup beta3_warmup maximize "
      "bias_correction counter";
  static constexpr const char* kStates = "m1 m2 v";
  struct Hyper {
    double lr, beta1, beta2, beta3, alpha, eps, weight_decay, alpha_warmup, beta3_warmup, maximize,
        bias_correction, counter;
  };
  struct Constants {
    float kept1, weight1, reciprocal_correction1;
    float kept2, weight2, reciprocal_correction2;
    float beta3, weight3;  // weight: 1 - beta
    float alpha;
    float eps;
    float lr;
    float decay;  // what p is multiplied by, or weight_decay where it is added to something
    float sign;   // of the gradient
  };

  // beta3 after k steps of its warm-up, which rises from beta1.
  TRUESTEP_HD double warmed_beta3(const Hyper& h, double k) {
    if (!(k < h.beta3_warmup)) return h.beta3;
    const double done = k / h.beta3_warmup;
    const double fast = log(h.beta1), slow = log(h.beta3);
    const double beta3 = exp(fast * slow / ((1.0 - done) * slow + done * fast));
    return beta3 > h.beta3 ? h.beta3 : beta3;
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool in_average = h.bias_correction == kInAverage;
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const double weight1 = (1.0 - h.beta1) / (in_average ? left1 : 1.0);
    const double weight2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    const double k = h.counter == kFromOne ? t : t - 1.0;
    const double beta3 = warmed_beta3(h, k);
    Constants c;
    c.kept1 = rounded(in_average ? 1.0 - weight1 : h.beta1), c.weight1 = rounded(weight1);
    c.kept2 = rounded(in_average ? 1.0 - weight2 : h.beta2), c.weight2 = rounded(weight2);
    c.reciprocal_correction1 = rounded(in_average ? 1.0 : 1.0 / left1);
    c.reciprocal_correction2 = rounded(in_average ? 1.0 : 1.0 / left2);
    c.beta3 = rounded(beta3), c.weight3 = rounded(1.0 - beta3);
    c.alpha = rounded(k < h.alpha_warmup ? h.alpha * (k / h.alpha_warmup) : h.alpha);
    c.eps = rounded(h.eps);
    c.lr = rounded(h.lr);
    const bool scaled = kDecay == Decay::kBefore || kDecay == Decay::kAfter;
    c.decay = rounded(scaled ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m1, float& m2, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    m1 = c.kept1 * m1 + c.weight1 * g;
    m2 = c.beta3 * m2 + c.weight3 * g;
    v = c.kept2 * v + c.weight2 * (g * g);
    float root = root_of(v * c.reciprocal_correction2);
    root = kEps == Eps::kFloor ? larger(root, c.eps) : root + c.eps;
    const float update = (m1 * c.reciprocal_correction1 + c.alpha * m2) / root;
    if constexpr (kDecay == Decay::kInStep) {
      p = p - c.lr * (update + c.decay * p);
    } else if constexpr (kDecay == Decay::kBefore) {
      p = p * c.decay - c.lr * update;
    } else if constexpr (kDecay == Decay::kAfter) {
      p = (p - c.lr * update) * c.decay;
    } else {
      p = p - c.lr * update;
    }
  }
};

}  // namespace truestep::rules::ademamix

#define TRUESTEP_KERNELS(KERNEL)                                        \
  KERNEL("", AdEMAMix<>)                                                \
  KERNEL("counter=from_zero", AdEMAMix<>)                               \
  KERNEL("decay=before", AdEMAMix<Decay::kBefore>)                      \
  KERNEL("decay=after", AdEMAMix<Decay::kAfter>)                        \
  KERNEL("decay=coupled", AdEMAMix<Decay::kCoupled>)                    \
  KERNEL("bias_correction=in_average decay=before eps_placement=floor", \
         AdEMAMix<Decay::kBefore, Eps::kFloor>)
