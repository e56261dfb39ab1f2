// Schedule-Free SGD (Defazio et al. 2024), p being y:
//   gamma = lr min(1, t / warmup_steps),  d = g + weight_decay p
//   w = t^r (largest gamma so far)^weight_lr_power,  c = w / (sum of the weights so far)
//   p = (1 - c) p + c z - gamma (1 - beta (1 - c)) d
//   z = z - gamma d
#pragma once

#include "rule.h"

namespace truestep::rules::schedule_free_sgd {

enum class Form { kDirect, kThroughX };

template <Form kForm>
struct ScheduleFreeSgd : Elementwise {
  static constexpr const char* kHyper =
      "lr beta weight_decay r weight_lr_power warmup_steps maximize";
  static constexpr const char* kStates = "z";
  static constexpr const char* kNumbers = "weight_sum lr_max";
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, beta, weight_decay, r, weight_lr_power, warmup_steps, maximize;
  };
  struct Constants {
    float gamma;
    float decay;
    float sign;                           // of the gradient
    float beta, weight, reciprocal_beta;  // weight: 1 - beta
    float kept;                           // 1 - c
    float added;                          // c, the weight of the new z in the average
    float step;                           // gamma (1 - beta (1 - c))
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c = {};
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.beta = rounded(h.beta);
    c.weight = rounded(1.0 - h.beta);
    c.reciprocal_beta = rounded(1.0 / h.beta);
    return c;
  }

  TRUESTEP_HD void finish(const Hyper& h, double t, double, const double*, double* numbers,
                          Constants& c) {
    double& weight_sum = numbers[0];
    double& lr_max = numbers[1];
    const double gamma = t < h.warmup_steps ? h.lr * (t / h.warmup_steps) : h.lr;
    lr_max = gamma > lr_max ? gamma : lr_max;
    const double w = pow(t, h.r) * pow(lr_max, h.weight_lr_power);
    weight_sum = weight_sum + w;
    const double added = weight_sum == 0.0 ? 0.0 : w / weight_sum;
    c.gamma = rounded(gamma);
    c.kept = rounded(1.0 - added);
    c.added = rounded(added);
    c.step = rounded(gamma * (1.0 - h.beta * (1.0 - added)));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& z) {
    const float d = c.sign * g + c.decay * p;
    const float moved = z - c.gamma * d;
    if constexpr (kForm == Form::kDirect) {
      p = c.kept * p + c.added * z - c.step * d;
    } else {
      const float x = c.kept * ((p - c.weight * z) * c.reciprocal_beta) + c.added * moved;
      p = c.beta * x + c.weight * moved;
    }
    z = moved;
  }
};

}  // namespace truestep::rules::schedule_free_sgd

#define TRUESTEP_KERNELS(KERNEL)             \
  KERNEL("", ScheduleFreeSgd<Form::kDirect>) \
  KERNEL("form=through_x", ScheduleFreeSgd<Form::kThroughX>)
