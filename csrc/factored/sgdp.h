// SGDP (Heo et al. 2021), momentum whose step u loses its part along p as tangent.h says:
//   b = momentum b + (1 - dampening) g
//   u = g + momentum b with Nesterov's momentum, else b
//   p = p (1 - lr weight_decay ratio / (1 - momentum)) - lr u
#pragma once

#include "common/tangent.h"

namespace truestep::factored::sgdp {

struct Sgdp : AlongRows<Sgdp> {
  static constexpr const char* kHyper =
      "lr momentum dampening delta wd_ratio eps weight_decay nesterov maximize cosine decay";
  static constexpr const char* kStates = "b";
  struct Hyper {
    double lr, momentum, dampening, delta, wd_ratio, eps, weight_decay, nesterov, maximize, cosine,
        decay;
  };
  struct Constants {
    Tangent tangent;
    float momentum, weight;  // weight: 1 - dampening
    bool nesterov;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    const double amount = h.weight_decay / (1.0 - h.momentum);
    Constants c;
    c.tangent = tangent_of(h.eps, h.delta, h.wd_ratio, h.weight_decay, h.cosine, h.decay,
                           h.decay == kUnscaled ? amount : h.lr * amount, h.lr, h.maximize);
    c.momentum = rounded(h.momentum), c.weight = rounded(1.0 - h.dampening);
    c.nesterov = h.nesterov != 0.0;
    return c;
  }

  TRUESTEP_HD float direction(const Constants& c, float g, float& b) {
    b = c.momentum * b + c.weight * g;
    return c.nesterov ? g + c.momentum * b : b;
  }
};

}  // namespace truestep::factored::sgdp

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Sgdp)               \
  KERNEL("cosine=sum", Sgdp)     \
  KERNEL("decay=coupled", Sgdp)  \
  KERNEL("decay=unscaled", Sgdp)
