// LAMB (You et al. 2020):
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   update = m_hat / (sqrt(v_hat) + eps) + weight_decay p
//   p = p - lr (norm(p) / norm(update)) update
// The norms are of what the tensors hold before the step, so one pass reads and a second one
// writes.
#pragma once

#include "rule.h"

namespace truestep::rules::lamb {

enum class Decay { kInRatio, kBefore, kAfterNorm };
enum class Correction { kBoth, kNone, kAfterRatio };
// Choices of the ratio alone, by their place in the reference's list.
enum Adapts { kAlways, kWithDecay };
enum Clip { kNoClip, kNorm10, kRatio1, kBelow1, kRatio001To10 };
enum Guard { kZero, kOne, kPositive };

template <Decay kDecay = Decay::kInRatio, Correction kCorrection = Correction::kBoth>
struct Lamb : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay maximize adapts clip guard ratio";
  static constexpr const char* kStates = "m v";
  static constexpr int kSums = 2;  // p^2, update^2
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, adapts, clip, guard, ratio;
  };
  struct Constants {
    float beta1, gradient_weight, beta2, square_weight;
    float reciprocal_correction1, reciprocal_correction2;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
    float eps;
    float lr;
    float ratio;
    float after;  // what the move is corrected by, if by anything
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double gradient_weight = 1.0 - h.beta1;
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    Constants c;
    c.beta1 = rounded(h.beta1);
    c.gradient_weight = rounded(h.maximize != 0.0 ? -gradient_weight : gradient_weight);
    c.beta2 = rounded(h.beta2);
    c.square_weight = rounded(1.0 - h.beta2);
    c.reciprocal_correction1 = rounded(1.0 / left1);
    c.reciprocal_correction2 = rounded(1.0 / left2);
    c.decay = rounded(kDecay == Decay::kInRatio ? h.weight_decay : 1.0 - h.lr * h.weight_decay);
    c.eps = rounded(h.eps);
    c.lr = rounded(h.lr);
    c.ratio = 1.0f;
    c.after = rounded(sqrt(left2) / left1);
    return c;
  }

  // The update, with m and v refreshed, and p decayed where that comes first.
  TRUESTEP_HD float update_of(const Constants& c, float g, float& p, float& m, float& v) {
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    m = c.beta1 * m + c.gradient_weight * g;
    v = c.beta2 * v + c.square_weight * (g * g);
    float update;
    if constexpr (kCorrection == Correction::kBoth) {
      update = m * c.reciprocal_correction1 / (root_of(v * c.reciprocal_correction2) + c.eps);
    } else {
      update = m / (root_of(v) + c.eps);
    }
    if constexpr (kDecay == Decay::kInRatio) update = update + c.decay * p;
    return update;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float m, float v,
                        double (&addend)[kSums]) {
    const float update = update_of(c, g, p, m, v);
    addend[0] = exact_product(p, p);
    addend[1] = exact_product(update, update);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double*,
                          Constants& c) {
    const double p_norm = sqrt(sum[0]), update_norm = sqrt(sum[1]);
    double ratio = h.clip == kNorm10 && p_norm > 10.0 ? 10.0 : p_norm;
    ratio = ratio / (h.ratio != 0.0 ? update_norm + h.eps : update_norm == 0.0 ? 1.0 : update_norm);
    if (h.clip == kRatio1 && ratio > 1.0) ratio = 1.0;
    if (h.clip == kBelow1 && !(ratio < 1.0)) ratio = 1.0;
    if (h.clip == kRatio001To10) ratio = ratio < 0.01 ? 0.01 : ratio > 10.0 ? 10.0 : ratio;
    if (h.guard == kOne && (p_norm == 0.0 || update_norm == 0.0)) ratio = 1.0;
    if (h.guard == kPositive && !(p_norm > 0.0 && update_norm > 0.0)) ratio = 1.0;
    if (h.adapts == kWithDecay && !(h.weight_decay > 0.0)) ratio = 1.0;
    c.ratio = rounded(ratio);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    const float update = update_of(c, g, p, m, v);
    float move = c.lr * c.ratio * update;
    if constexpr (kCorrection == Correction::kAfterRatio) move = move * c.after;
    if constexpr (kDecay == Decay::kAfterNorm) p = p * c.decay;
    p = p - move;
  }
};

}  // namespace truestep::rules::lamb

#define TRUESTEP_KERNELS(KERNEL)                                           \
  KERNEL("", Lamb<>)                                                       \
  KERNEL("clip=norm_10 guard=one", Lamb<>)                                 \
  KERNEL("guard=one", Lamb<>)                                              \
  KERNEL("bias_correction=none", Lamb<Decay::kInRatio, Correction::kNone>) \
  KERNEL("bias_correction=after_ratio", Lamb<Decay::kInRatio, Correction::kAfterRatio>)
