// Schedule-Free AdamW (Defazio et al. 2024), p being y:
//   v = beta2 v + (1 - beta2) g^2
//   gamma = lr sqrt(1 - beta2^t) min(1, t / warmup_steps)
//   d = g / (sqrt(v) + eps) + weight_decay p
//   w = t^r (largest gamma so far)^weight_lr_power,  c = w / (sum of the weights so far)
//   p = (1 - c) p + c z - gamma (1 - beta1 (1 - c)) d
//   z = z - gamma d
#pragma once

#include "rule.h"

namespace truestep::rules::schedule_free_adamw {

enum class Form { kDirect, kThroughX };
enum class Eps { kOutside, kFloor };
// Choices of the constants alone, by their place in the reference's lists.
enum Correction { kRate, kMoment, kInAverage };
enum Rectification { kNone, kSilent, kPlain };

template <Form kForm = Form::kDirect, Eps kEps = Eps::kOutside>
struct ScheduleFreeAdamW : Elementwise {
  static constexpr const char* kHyper =
      "lr beta1 beta2 eps weight_decay r weight_lr_power warmup_steps maximize bias_correction "
      "rectification";
  static constexpr const char* kStates = "z v";
  static constexpr const char* kNumbers = "weight_sum lr_max";
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, r, weight_lr_power, warmup_steps, maximize,
        bias_correction, rectification;
  };
  struct Constants {
    float kept_v, square_weight, correction;  // correction: what v is multiplied by
    float eps;
    float decay;
    float sign;  // of the gradient
    bool adaptive;
    float gamma;
    float beta1, weight1, reciprocal_beta1;  // weight: 1 - beta
    float kept, added;                       // of the average: 1 - c, c
    float step;                              // gamma (1 - beta1 (1 - c))
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    const double left = 1.0 - pow(h.beta2, t);
    const bool in_average = h.bias_correction == kInAverage;
    const double weight = (1.0 - h.beta2) / (in_average ? left : 1.0);
    Constants c = {};
    c.kept_v = rounded(in_average ? 1.0 - weight : h.beta2);
    c.square_weight = rounded(weight);
    c.correction = rounded(h.bias_correction == kMoment ? 1.0 / left : 1.0);
    c.eps = rounded(h.eps);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.beta1 = rounded(h.beta1);
    c.weight1 = rounded(1.0 - h.beta1);
    c.reciprocal_beta1 = rounded(1.0 / h.beta1);
    return c;
  }

  // RAdam's factor of the rate; 0 where the step is not adaptive.
  TRUESTEP_HD double rectified(const Hyper& h, double t) {
    const double power = pow(h.beta2, t);
    const double most = 2.0 / (1.0 - h.beta2) - 1.0;
    const double rho = most - 2.0 * t * power / (1.0 - power);
    if (!(rho > 4.0)) return 0.0;
    return sqrt((rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho));
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double*, double* numbers,
                          Constants& c) {
    double& weight_sum = numbers[0];
    double& lr_max = numbers[1];
    double gamma = t < h.warmup_steps ? h.lr * (t / h.warmup_steps) : h.lr;
    if (h.bias_correction == kRate) gamma = gamma * sqrt(1.0 - pow(h.beta2, t));
    const double factor = h.rectification == kNone ? 1.0 : rectified(h, t);
    c.adaptive = factor != 0.0;
    if (c.adaptive || h.rectification == kSilent) gamma = gamma * factor;
    lr_max = gamma > lr_max ? gamma : lr_max;
    const double w = pow(t, h.r) * pow(lr_max, h.weight_lr_power);
    weight_sum = weight_sum + w;
    const double added = weight_sum == 0.0 ? 0.0 : w / weight_sum;
    c.gamma = rounded(gamma);
    c.kept = rounded(1.0 - added);
    c.added = rounded(added);
    c.step = rounded(gamma * (1.0 - h.beta1 * (1.0 - added)));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& z, float& v) {
    g = c.sign * g;
    v = c.kept_v * v + c.square_weight * (g * g);
    float root = root_of(v * c.correction);
    root = kEps == Eps::kFloor ? larger(root, c.eps) : root + c.eps;
    const float d = (c.adaptive ? g / root : g) + c.decay * p;
    const float moved = z - c.gamma * d;
    if constexpr (kForm == Form::kDirect) {
      p = c.kept * p + c.added * z - c.step * d;
    } else {
      const float x = c.kept * ((p - c.weight1 * z) * c.reciprocal_beta1) + c.added * moved;
      p = c.beta1 * x + c.weight1 * moved;
    }
    z = moved;
  }
};

}  // namespace truestep::rules::schedule_free_adamw

#define TRUESTEP_KERNELS(KERNEL)                                                      \
  KERNEL("", ScheduleFreeAdamW<>)                                                     \
  KERNEL("bias_correction=moment", ScheduleFreeAdamW<>)                               \
  KERNEL("bias_correction=moment rectification=silent", ScheduleFreeAdamW<>)          \
  KERNEL("bias_correction=moment rectification=plain", ScheduleFreeAdamW<>)           \
  KERNEL("bias_correction=moment form=through_x", ScheduleFreeAdamW<Form::kThroughX>) \
  KERNEL("bias_correction=in_average eps_placement=floor",                            \
         ScheduleFreeAdamW<Form::kDirect, Eps::kFloor>)
