// Averaged stochastic gradient descent (Ruppert 1988; Polyak & Juditsky 1992):
//   g = g + weight_decay p
//   p = p - lr / t^power g
//   average = p for t <= start + 1, then average + (p - average) / (t - start)
// The divisor is a whole number, which float32 mostly holds: its reciprocal would round once more.
#pragma once

#include "rule.h"

namespace truestep::rules::polyak_ruppert {

enum class Average { kUniform, kExponential, kWeighted };

template <Average kAverage>
struct Averaged : Elementwise {
  static constexpr const char* kHyper = "lr power weight_decay ema start maximize";
  static constexpr const char* kStates = "average";
  struct Hyper {
    double lr, power, weight_decay, ema, start, maximize;
  };
  struct Constants {
    float rate, decay, sign;
    float count;        // of the points in the average
    float ema, weight;  // weight: 1 - ema
    bool copies;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.rate = rounded(h.lr / pow(t, h.power));
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.count = rounded(t - h.start);
    c.ema = rounded(h.ema), c.weight = rounded(1.0 - h.ema);
    c.copies = t <= h.start + 1.0;
    return c;
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& average) {
    g = c.sign * g + c.decay * p;
    p = p - c.rate * g;
    float averaged;
    if constexpr (kAverage == Average::kUniform) {
      averaged = average + (p - average) / c.count;
    } else if constexpr (kAverage == Average::kExponential) {
      averaged = average + c.weight * (p - average);
    } else {
      averaged = c.ema * average + c.weight * p;
    }
    average = c.copies ? p : averaged;
  }
};

}  // namespace truestep::rules::polyak_ruppert

#define TRUESTEP_KERNELS(KERNEL)                                 \
  KERNEL("", Averaged<Average::kUniform>)                        \
  KERNEL("average=exponential", Averaged<Average::kExponential>) \
  KERNEL("average=weighted", Averaged<Average::kWeighted>)
