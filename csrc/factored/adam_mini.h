// Adam-mini (Zhang et al. 2024), the blocks of a tensor as the rows of a matrix:
//   m = beta1 m + (1 - beta1) g
//   v = beta2 v + (1 - beta2) mean over the row (g^2)
//   p = p (1 - lr weight_decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
#pragma once

#include "factored.h"

namespace truestep::factored::adam_mini {

template <int = 0>
struct AdamMini : Factored {
  static constexpr const char* kHyper = "lr beta1 beta2 eps weight_decay heads maximize";
  static constexpr const char* kStates = "m";
  static constexpr const char* kRows = "v";
  static constexpr const char* kColumns = "-";
  static constexpr const char* kVectors = "v";
  static constexpr Pass kPasses[] = {{true, false, 0, false, false},
                                     {false, false, 0, true, false}};
  struct Hyper {
    double lr, beta1, beta2, eps, weight_decay, heads, maximize;
  };
  struct Constants {
    double beta2, correction2, eps;
    float beta1, gradient_weight;  // negated when maximizing
    float reciprocal_correction1;
    float decay;
    float lr;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta2 = h.beta2;
    c.correction2 = 1.0 - pow(h.beta2, t);
    c.eps = h.eps;
    c.beta1 = rounded(h.beta1);
    c.gradient_weight = rounded(h.maximize != 0.0 ? h.beta1 - 1.0 : 1.0 - h.beta1);
    c.reciprocal_correction1 = rounded(1.0 / (1.0 - pow(h.beta1, t)));
    c.decay = rounded(1.0 - h.lr * h.weight_decay);
    c.lr = rounded(h.lr);
    return c;
  }

  template <int pass>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, float& m) {
    if constexpr (pass == 0) {
      add.side = exact_product(g, g);
    } else {
      m = c.beta1 * m + c.gradient_weight * g;
      p = p * c.decay - c.lr * (m * c.reciprocal_correction1 / (row * column));
    }
  }

  template <int pass>
  static void side(const Constants& c, Line, double sum, double terms, float* state) {
    if constexpr (pass == 0) state[0] = averaged(c.beta2, state[0], sum / terms);
  }

  template <int pass>
  static float factor(const Constants& c, Line line, float before, const float* state,
                      const double*) {
    if constexpr (pass != 0) return before;
    if (line == Line::kColumn) return 1.0f;
    return rounded(sqrt(state[0] / c.correction2) + c.eps);
  }
};

}  // namespace truestep::factored::adam_mini

#define TRUESTEP_KERNELS(KERNEL)      \
  KERNEL("blocks=rows", AdamMini<>)   \
  KERNEL("blocks=heads", AdamMini<>)  \
  KERNEL("blocks=tensor", AdamMini<>) \
  KERNEL("blocks=elements", AdamMini<>)
