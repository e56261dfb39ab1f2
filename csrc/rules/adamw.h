// AdamW (Loshchilov & Hutter 2019), weight decay before the step, eps outside the root:
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) g^2
//   p = p (1 - lr weight_decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
// The float32 association repeats these lines; only the two divisions by a constant are products
// with its reciprocal, formed in double and rounded once, which costs the same number of roundings.
// Folding lr or the corrections into fewer constants would save a product that memory bandwidth
// hides, and lose accuracy where lr m underflows although lr m / eps does not.
#pragma once

#include "../formats/host_device.h"

namespace truestep {

// The float32 constants of one step, each rounded once from double.
struct AdamWConstants {
  float beta1;
  float gradient_weight;  // 1 - beta1; negated when maximizing
  float beta2;
  float square_weight;           // 1 - beta2
  float reciprocal_correction1;  // 1 / (1 - beta1^t)
  float reciprocal_correction2;  // 1 / (1 - beta2^t)
  float lr;
  float decay;  // 1 - lr weight_decay
  float eps;
};

#if !defined(__CUDACC_RTC__)
}  // namespace truestep
#include <math.h>
namespace truestep {

struct AdamWHyper {
  double lr, beta1, beta2, eps, weight_decay;
  bool maximize;
};

// Constants of step t >= 1, t counting from one.
static inline AdamWConstants adamw_constants(const AdamWHyper& h, double t) {
  const double gradient_weight = 1.0 - h.beta1;
  AdamWConstants c;
  c.beta1 = static_cast<float>(h.beta1);
  c.gradient_weight = static_cast<float>(h.maximize ? -gradient_weight : gradient_weight);
  c.beta2 = static_cast<float>(h.beta2);
  c.square_weight = static_cast<float>(1.0 - h.beta2);
  c.reciprocal_correction1 = static_cast<float>(1.0 / (1.0 - pow(h.beta1, t)));
  c.reciprocal_correction2 = static_cast<float>(1.0 / (1.0 - pow(h.beta2, t)));
  c.lr = static_cast<float>(h.lr);
  c.decay = static_cast<float>(1.0 - h.lr * h.weight_decay);
  c.eps = static_cast<float>(h.eps);
  return c;
}
#endif

// The lines one by one, for a loop over each.
TRUESTEP_HD void adamw_first_moment(const AdamWConstants& c, float g, float& m) {
  m = c.beta1 * m + c.gradient_weight * g;
}

TRUESTEP_HD void adamw_second_moment(const AdamWConstants& c, float g, float& v) {
  v = c.beta2 * v + c.square_weight * (g * g);
}

TRUESTEP_HD void adamw_parameter(const AdamWConstants& c, float m, float v, float& p) {
  const float m_hat = m * c.reciprocal_correction1;
  const float v_hat = v * c.reciprocal_correction2;
  const float update = m_hat / (root_of(v_hat) + c.eps);
  p = p * c.decay - c.lr * update;
}

// One element: p, m and v are replaced by their values after the step.
TRUESTEP_HD void adamw_element(const AdamWConstants& c, float g, float& p, float& m, float& v) {
  adamw_first_moment(c, g, m);
  adamw_second_moment(c, g, v);
  adamw_parameter(c, m, v, p);
}

}  // namespace truestep
