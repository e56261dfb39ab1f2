// Adai (Xie et al. 2022), of g + weight_decay p as g:
//   v = beta2 v + (1 - beta2) g^2,  v_hat = v / (1 - beta2^t)
//   q = beta0 (v_hat / mean(v_hat))^(1 / (3 - 2 dampening)),  mu = clip(1 - q, 0, 1 - eps)
//   m = mu m + (1 - mu)^dampening g,  c = mu c
//   p = p - lr beta0^(1 - dampening) m / (1 - c)
// The mean is of what the tensors hold before the step, so one pass reads and a second one writes.
#pragma once

#include "../formats/powers.h"
#include "common/decay_before.h"

namespace truestep::rules::adai {

// By their place in the reference's lists.
enum Decay { kCoupled, kBefore, kOfMomentum, kUnscaled };
enum Mean { kPlain, kFloored };

struct Adai : Elementwise {
  static constexpr const char* kHyper =
      "lr beta0 beta2 dampening eps weight_decay maximize decay mean";
  static constexpr const char* kStates = "m v c";
  static constexpr int kSums = 1;  // v
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta0, beta2, dampening, eps, weight_decay, maximize, decay, mean;
  };
  struct Constants {
    double power, dampening;
    float beta0, beta2, weight2;  // weight: 1 - beta
    float correction;             // what v is multiplied by
    float mean;                   // of v_hat
    float most;                   // inertia
    float rate;                   // what m is multiplied by in p
    float sign;
    float of_momentum;  // the decay that m alone sees
    DecayBefore decay;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c = {};
    c.power = 1.0 / (3.0 - 2.0 * h.dampening), c.dampening = h.dampening;
    c.beta0 = rounded(h.beta0);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction = rounded(1.0 / (1.0 - pow(h.beta2, t)));
    c.most = rounded(1.0 - h.eps);
    c.rate = rounded(h.lr * pow(h.beta0, 1.0 - h.dampening));
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    const double before = h.decay == kOfMomentum ? 0.0 : h.weight_decay;
    c.of_momentum = rounded(h.weight_decay - before);
    c.decay = decay_before(h.decay == kBefore ? h.lr * before : before, h.decay == kCoupled);
    return c;
  }

  // v after the step, of the gradient that it sees.
  TRUESTEP_HD float squares(const Constants& c, float g, float v) {
    return c.beta2 * v + c.weight2 * (g * g);
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float, float v, float,
                        double (&addend)[kSums]) {
    g = c.sign * g;
    decay(c.decay, g, p);
    addend[0] = squares(c, g, v);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double size, const double* sum, double*,
                          Constants& c) {
    const double mean = sum[0] / size / (1.0 - pow(h.beta2, t));
    c.mean = rounded(h.mean == kFloored && mean < h.eps ? h.eps : mean);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v,
                           float& product) {
    g = c.sign * g;
    const float added = c.of_momentum * p;
    decay(c.decay, g, p);
    v = squares(c, g, v);
    const float q = c.beta0 * power_of(v * c.correction / c.mean, c.power);
    const float raised = 1.0f - q < 0.0f ? 0.0f : 1.0f - q;
    const float mu = raised > c.most ? c.most : raised;
    const float entering = c.of_momentum != 0.0f ? g + added : g;
    m = mu * m + power_of(1.0f - mu, c.dampening) * entering;
    product = product * mu;
    p = p - c.rate * (m / (1.0f - product));
  }
};

}  // namespace truestep::rules::adai

#define TRUESTEP_KERNELS(KERNEL) \
  KERNEL("", Adai)               \
  KERNEL("decay=before", Adai)   \
  KERNEL("decay=unscaled", Adai) \
  KERNEL("decay=of_momentum mean=floored", Adai)
