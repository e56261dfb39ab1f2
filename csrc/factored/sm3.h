// SM3-II (Anil, Gupta, Koren & Singer 2019):
//   g = g + weight_decay p
//   nu = min of its slices' mu, + g^2
//   mu = max of nu over the slice
//   m = momentum m + (1 - momentum) g / sqrt(nu + eps),  p = p - lr m
// The slices across all axes but the last meet in the rows, whose factor is the least of them. What
// is left in mu are the maxima.
#pragma once

#include "factored.h"

namespace truestep::factored::sm3 {

enum class Accumulator { kSum, kAverage };

template <Accumulator kAccumulator>
struct Sm3 : Factored {
  static constexpr const char* kHyper = "lr momentum beta eps weight_decay maximize";
  static constexpr const char* kStates = "m";
  static constexpr const char* kRows = "mu";
  static constexpr const char* kColumns = "mu";
  static constexpr const char* kVectors = "mu";
  static constexpr Pass kPasses[] = {{true, true, 0, false, true}, {false, false, 0, true, false}};
  struct Hyper {
    double lr, momentum, beta, eps, weight_decay, maximize;
  };
  struct Constants {
    float lr;
    float momentum, weight;  // 1 - momentum
    float kept, added;       // weights of what was accumulated and of g^2
    float eps;
    float decay;
    float sign;  // of the gradient
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.lr = rounded(h.lr);
    c.momentum = rounded(h.momentum), c.weight = rounded(1.0 - h.momentum);
    c.kept = rounded(h.beta), c.added = rounded(1.0 - h.beta);
    c.eps = rounded(h.eps);
    c.decay = rounded(h.weight_decay);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    return c;
  }

  template <int pass>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, float& m) {
    g = c.sign * g;
    // Not added when there is none: 0 times a nan of p would be nan.
    if (c.decay > 0.0f) g = g + c.decay * p;
    const float least = smaller(row, column);
    float nu;
    if constexpr (kAccumulator == Accumulator::kSum) {
      nu = least + g * g;
    } else {
      nu = c.kept * least + c.added * (g * g);
    }
    if constexpr (pass == 0) {
      add.side = nu;
    } else {
      const float u = nu == 0.0f ? 0.0f : g / root_of(nu + c.eps);
      m = c.momentum * m + c.weight * u;
      p = p - c.lr * m;
    }
  }

  template <int pass>
  static void side(const Constants&, Line, double largest, double, float* state) {
    if constexpr (pass == 0) state[0] = rounded(largest);
  }
};

}  // namespace truestep::factored::sm3

#define TRUESTEP_KERNELS(KERNEL)                            \
  KERNEL("accumulator=sum", Sm3<Accumulator::kSum>)         \
  KERNEL("accumulator=average", Sm3<Accumulator::kAverage>) \
  KERNEL("accumulator=average_held", Sm3<Accumulator::kAverage>)
