// NAdam (Dozat 2016):
//   g = g + weight_decay p                           decay "coupled"
//   mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),  mu_product = mu_product mu_t
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   m_hat = mu_{t+1} m / (1 - mu_product mu_{t+1}) + (1 - mu_t) g / (1 - mu_product)
//   p = p - lr m_hat / (sqrt(v / (1 - beta2^t)) + eps)
// Every form's m_hat is a sum of m and g with weights that are the tensor's own constants.
#pragma once

#include "rule.h"

namespace truestep::rules::nadam {

enum class Decay { kCoupled, kBefore, kInStep };
enum class Eps { kOutside, kInside, kFloor };
// By their place in the reference's lists.
enum Correction { kMoment, kInAverage };
enum Form { kScheduled, kConstant, kOneCorrection };

template <Decay kDecay, Eps kEps = Eps::kOutside>
struct Nadam : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay momentum_decay maximize bias_correction form";
  static constexpr const char* kStates = "m v";
  static constexpr const char* kNumbers = "mu_product";
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, momentum_decay, maximize, bias_correction, form;
  };
  struct Constants {
    float beta1, weight1;     // weight1: 1 - beta1
    float kept2, new2;        // weights of v and of the square that enters it
    float correction2;        // what v is multiplied by
    float of_m, of_gradient;  // weights in m_hat
    float lr, eps, sign;
    float decay;  // weight_decay, or 1 - lr weight_decay where p is multiplied by it
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    const bool in_average = h.bias_correction == kInAverage;
    const double new2 = (1.0 - h.beta2) / (in_average ? left2 : 1.0);
    const double left_next = h.form == kConstant ? 1.0 - pow(h.beta1, t + 1.0) : left1;
    Constants c;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.kept2 = rounded(in_average ? 1.0 - new2 : h.beta2), c.new2 = rounded(new2);
    c.correction2 = rounded(in_average ? 1.0 : 1.0 / left2);
    c.of_m = rounded(h.beta1 / left_next);
    c.of_gradient = rounded((1.0 - h.beta1) / left1);
    c.lr = rounded(h.lr), c.eps = rounded(h.eps);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    return c;
  }

  TRUESTEP_HD double momentum(const Hyper& h, double t) {
    return h.beta1 * (1.0 - 0.5 * pow(0.96, t * h.momentum_decay));
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double*, double* mu_product,
                          Constants& c) {
    if (h.form != kScheduled) return;
    const double mu = momentum(h, t), mu_next = momentum(h, t + 1.0);
    *mu_product = *mu_product * mu;
    c.of_m = rounded(mu_next / (1.0 - *mu_product * mu_next));
    c.of_gradient = rounded((1.0 - mu) / (1.0 - *mu_product));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v) {
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
    m = c.beta1 * m + c.weight1 * g;
    v = c.kept2 * v + c.new2 * (g * g);
    const float m_hat = c.of_m * m + c.of_gradient * g, v_hat = v * c.correction2;
    float update;
    if constexpr (kEps == Eps::kOutside) {
      update = m_hat / (root_of(v_hat) + c.eps);
    } else if constexpr (kEps == Eps::kInside) {
      update = m_hat / root_of(v_hat + c.eps);
    } else {
      update = m_hat / larger(root_of(v_hat), c.eps);
    }
    if constexpr (kDecay == Decay::kInStep) update = update + c.decay * p;
    p = p - c.lr * update;
  }
};

}  // namespace truestep::rules::nadam

#define TRUESTEP_KERNELS(KERNEL)                                                                \
  KERNEL("", Nadam<Decay::kCoupled>)                                                            \
  KERNEL("decay=before", Nadam<Decay::kBefore>)                                                 \
  KERNEL("form=constant", Nadam<Decay::kCoupled>)                                               \
  KERNEL("eps_placement=inside form=constant", Nadam<Decay::kCoupled, Eps::kInside>)            \
  KERNEL("decay=in_step form=constant", Nadam<Decay::kInStep>)                                  \
  KERNEL("decay=before form=one_correction", Nadam<Decay::kBefore>)                             \
  KERNEL("bias_correction=in_average eps_placement=floor", Nadam<Decay::kCoupled, Eps::kFloor>) \
  KERNEL("bias_correction=in_average decay=before eps_placement=floor",                         \
         Nadam<Decay::kBefore, Eps::kFloor>)
