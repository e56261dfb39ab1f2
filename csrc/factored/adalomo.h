// AdaLomo (Lv et al. 2023): Adafactor's second moment and clipping, with
//   alpha = lr max(eps2, RMS(p)),  p = p (1 - alpha weight_decay) - alpha U
// Three passes: sums by row and column and p^2; U^2; the step.
#pragma once

#include "factored.h"

namespace truestep::factored::adalomo {

template <int = 0>
struct AdaLomo : Factored {
  static constexpr const char* kHyper =
      "lr decay_rate eps1 eps2 clip_threshold weight_decay maximize";
  static constexpr const char* kStates = "";
  static constexpr const char* kRows = "r";
  static constexpr const char* kColumns = "c";
  static constexpr const char* kVectors = "v";
  static constexpr Pass kPasses[] = {{true, true, 1, false, false},
                                     {false, false, 1, false, false},
                                     {false, false, 0, true, false}};
  struct Hyper {
    double lr, decay_rate, eps1, eps2, clip_threshold, weight_decay, maximize;
  };
  struct Constants {
    double beta2;
    float sign;  // of the gradient
    float eps1;
    float clip;  // what U is divided by
    float size;  // alpha
    float shrink;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    c.beta2 = 1.0 - pow(t, -h.decay_rate);
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.eps1 = rounded(h.eps1);
    c.clip = c.size = c.shrink = 1.0f;
    return c;
  }

  template <int pass>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p) {
    g = c.sign * g;
    if constexpr (pass == 0) {
      add.side = g * g + c.eps1;
      add.total[0] = exact_product(p, p);
    } else {
      const float u = g / root_of(row * column);
      if constexpr (pass == 1) {
        add.total[0] = exact_product(u, u);
      } else {
        p = p * c.shrink - c.size * (u / c.clip);
      }
    }
  }

  template <int pass>
  static void side(const Constants& c, Line, double sum, double terms, float* state) {
    if constexpr (pass == 0) state[0] = averaged(c.beta2, state[0], sum / terms);
  }

  template <int pass>
  static float factor(const Constants&, Line line, float before, const float* state,
                      const double* mean) {
    if constexpr (pass != 0) return before;
    return line == Line::kRow ? rounded(state[0] / mean[0]) : state[0];
  }

  template <int pass>
  static void finish(const Hyper& h, double, double size, const double* total, Constants& c) {
    if constexpr (pass == 0) {
      const double alpha = h.lr * larger(sqrt(total[0] / size), h.eps2);
      c.size = rounded(alpha);
      c.shrink = rounded(1.0 - alpha * h.weight_decay);
    } else if constexpr (pass == 1) {
      c.clip = rounded(larger(sqrt(total[0] / size) / h.clip_threshold, 1.0));
    }
  }
};

}  // namespace truestep::factored::adalomo

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", AdaLomo<>)
