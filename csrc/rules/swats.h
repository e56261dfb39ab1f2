// SWATS (Keskar & Socher 2017). Until the rule switches, Adam:
//   d = -lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)
//   p = p + d
//   gamma = <d, d> / -<d, g>,  average = beta2 average + (1 - beta2) gamma
//   sgd_lr = average / (1 - beta2^t) once that is within eps of gamma
// From the next step on:
//   b = beta1 b + g
//   p = p - (1 - beta1) sgd_lr b
#pragma once

#include "rule.h"

namespace truestep::rules::swats {

enum class Eps { kBeforeCorrection, kOutside };

template <Eps kEps>
struct Swats : Elementwise {
  static constexpr const char* kHyper = "lr beta1 beta2 eps maximize";
  static constexpr const char* kStates = "m v b";
  static constexpr const char* kNumbers = "average sgd_lr switched";
  static constexpr int kSums = 2;  // d^2, d g
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, maximize;
  };
  struct Constants {
    float beta1, weight1;  // weight: 1 - beta
    float beta2, weight2;
    float correction1;  // what m is multiplied by, with both corrections before eps
    float correction2;  // what v is multiplied by
    float eps;
    float lr;
    float sign;  // of the gradient
    bool adam;
    float sgd_rate;  // (1 - beta1) sgd_lr
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left1 = 1.0 - pow(h.beta1, t), left2 = 1.0 - pow(h.beta2, t);
    Constants c = {};
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.beta2 = rounded(h.beta2), c.weight2 = rounded(1.0 - h.beta2);
    c.correction1 = rounded((kEps == Eps::kOutside ? 1.0 : sqrt(left2)) / left1);
    c.correction2 = rounded(1.0 / left2);
    c.eps = rounded(h.eps);
    c.lr = rounded(h.lr);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  // Adam's move, m and v being refreshed.
  TRUESTEP_HD float adam_move(const Constants& c, float g, float& m, float& v) {
    m = c.beta1 * m + c.weight1 * g;
    v = c.beta2 * v + c.weight2 * (g * g);
    const float root = kEps == Eps::kOutside ? root_of(v * c.correction2) : root_of(v);
    return -c.lr * (m * c.correction1 / (root + c.eps));
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float, float m, float v, float,
                        double (&addend)[kSums]) {
    g = c.sign * g;
    const float d = adam_move(c, g, m, v);
    addend[0] = exact_product(d, d);
    addend[1] = exact_product(d, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double* sum, double* numbers,
                          Constants& c) {
    double& average = numbers[0];
    double& sgd_lr = numbers[1];
    double& switched = numbers[2];
    c.adam = switched < 1.0;
    c.sgd_rate = rounded((1.0 - h.beta1) * sgd_lr);
    if (!c.adam || sum[1] == 0.0) return;
    const double gamma = sum[0] / -sum[1];
    average = h.beta2 * average + (1.0 - h.beta2) * gamma;
    const double rate = average / (1.0 - pow(h.beta2, t));
    if (t > 1.0 && fabs(rate - gamma) < h.eps) {
      sgd_lr = rate;
      switched = 1.0;
    }
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& m, float& v, float& b) {
    g = c.sign * g;
    float adam_m = m, adam_v = v;
    const float d = adam_move(c, g, adam_m, adam_v), sgd_b = c.beta1 * b + g;
    m = c.adam ? adam_m : m;
    v = c.adam ? adam_v : v;
    b = c.adam ? b : sgd_b;
    p = c.adam ? p + d : p - c.sgd_rate * sgd_b;
  }
};

}  // namespace truestep::rules::swats

#define TRUESTEP_KERNELS(KERNEL)            \
  KERNEL("", Swats<Eps::kBeforeCorrection>) \
  KERNEL("eps_placement=outside", Swats<Eps::kOutside>)
