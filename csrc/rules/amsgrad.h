// AMSGrad (Reddi, Kale & Kumar 2018):
//   g = g + weight_decay p                           decay "coupled"
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   v_max = max(v_max, v)
//   p = p - lr m / (sqrt(v_max) + eps)
// Corrected moments are multiplied by 1 / (1 - beta^t), others by 1, which rounds nothing; v before
// the maximum ("debiased") or v_max after it ("raw").
#pragma once

#include "rule.h"

namespace truestep::rules::amsgrad {

enum class Decay { kCoupled, kBefore, kInStep };
enum class Eps { kOutside, kInside };
// By their place in the reference's lists.
enum Correction { kNone, kBoth };
enum Maximum { kRaw, kDebiased };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct AmsGrad : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay maximize bias_correction maximum";
  static constexpr const char* kStates = "m v v_max";
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, maximize, bias_correction, maximum;
  };
  struct Constants {
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float correction1;                     // what m, v and v_max are multiplied by
    float correction2;
    float correction_max;
    float lr, eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const bool corrected = h.bias_correction == kBoth, raw = h.maximum == kRaw;
    const double correction1 = corrected ? 1.0 / (1.0 - pow(h.beta1, t)) : 1.0;
    const double correction2 = corrected ? 1.0 / (1.0 - pow(h.beta2, t)) : 1.0;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded(correction1);
    c.correction2 = rounded(raw ? 1.0 : correction2);
    c.correction_max = rounded(raw ? correction2 : 1.0);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& v_max) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    v_max = larger(v_max, v * c.correction2);
    const float m_hat = m * c.correction1, v_hat = v_max * c.correction_max;
    float update;
    if constexpr (kEps == Eps::kOutside) {
      update = m_hat / (root_of(v_hat) + c.eps);
    } else {
      update = m_hat / root_of(v_hat + c.eps);
    }
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    p = p - c.lr * update;
  }
};

// eps before the correction is another eps, eps / sqrt(1 - beta2^t), beside the corrected root.
template <Decay kDecay>
struct EarlyEps : AmsGrad<kDecay> {
  using Base = AmsGrad<kDecay>;

  TRUESTEP_HD typename Base::Constants constants(const typename Base::Hyper& h, double t) {
    typename Base::Constants c = Base::constants(h, t);
    if (h.bias_correction == kBoth) c.eps = rounded(h.eps / sqrt(1.0 - pow(h.beta2, t)));
    return c;
  }
};

}  // namespace truestep::rules::amsgrad

#define TRUESTEP_KERNELS(KERNEL)                                              \
  KERNEL("", AmsGrad<Decay::kCoupled>)                                        \
  KERNEL("bias_correction=both", AmsGrad<Decay::kCoupled>)                    \
  KERNEL("bias_correction=both decay=before", AmsGrad<Decay::kBefore>)        \
  KERNEL("bias_correction=both decay=in_step", AmsGrad<Decay::kInStep>)       \
  KERNEL("bias_correction=both maximum=debiased", AmsGrad<Decay::kCoupled>)   \
  KERNEL("bias_correction=both decay=before eps_placement=before_correction", \
         EarlyEps<Decay::kBefore>)                                            \
  KERNEL("eps_placement=inside", AmsGrad<Decay::kCoupled, Eps::kInside>)
