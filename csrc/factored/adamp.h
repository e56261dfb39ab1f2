// AdamP (Heo et al. 2021), Adam whose step u loses its part along p as tangent.h says:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
//   p = p (1 - lr weight_decay ratio) - lr u
#pragma once

#include "common/tangent.h"

namespace truestep::factored::adamp {

// By their place in the reference's list.
enum Eps { kOutside, kBeforeCorrection };

struct AdamP : AlongRows<AdamP> {
  static constexpr const char* kHyper =
      "lr beta1 beta2 delta wd_ratio eps weight_decay nesterov maximize cosine decay eps_placement";
  static constexpr const char* kStates = "m v";
  struct Hyper {
    double lr, beta1, beta2, delta, wd_ratio, eps, weight_decay, nesterov, maximize, cosine, decay,
        eps_placement;
  };
  struct Constants {
    Tangent tangent;
    float beta1, weight1, beta2, weight2;  // weight: 1 - beta
    float after;                           // what the mean is, of eps before the correction
    float correction2;                     // what v is multiplied by
    float eps;
    bool nesterov;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left2 = 1.0 - pow(h.beta2, t);
    const bool outside = h.eps_placement == kOutside;
    Constants c;
    c.tangent = tangent_of(h.eps, h.delta, h.wd_ratio, h.weight_decay, h.cosine, h.decay,
                           h.decay == kUnscaled ? h.weight_decay : h.lr * h.weight_decay,
                           h.lr / (1.0 - pow(h.beta1, t)), h.maximize);
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.after = rounded(outside ? 1.0 : sqrt(left2));
    c.correction2 = rounded(outside ? 1.0 / left2 : 1.0);
    c.eps = rounded(h.eps);
    c.nesterov = h.nesterov != 0.0;
    return c;
  }

  TRUESTEP_HD float direction(const Constants& c, float g, float& m, float& v) {
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float mean = c.nesterov ? c.beta1 * m + c.weight1 * g : m;
    return mean * c.after / (root_of(v * c.correction2) + c.eps);
  }
};

}  // namespace truestep::factored::adamp

#define TRUESTEP_KERNELS(KERNEL)                                 \
  KERNEL("", AdamP)                                              \
  KERNEL("cosine=sum", AdamP)                                    \
  KERNEL("eps_placement=before_correction", AdamP)               \
  KERNEL("decay=coupled eps_placement=before_correction", AdamP) \
  KERNEL("decay=unscaled eps_placement=before_correction", AdamP)
