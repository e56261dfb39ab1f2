// CAME (Luo et al. 2023):
//   R, C = averages of the row and column means of g^2 + eps1
//   u = g / sqrt(R C / mean(R)),  u = u / max(1, RMS(u) / clip_threshold)
//   m = beta1 m + (1 - beta1) u
//   r, c = averages of the row and column means of (u - m)^2 + eps2
//   p = p (1 - lr weight_decay) - lr m / sqrt(r c / mean(r))
// Four passes: sums for R and C; u^2; m, and sums for r and c; the step.
#pragma once

#include "factored.h"

namespace truestep::factored::came {

enum class Decay { kBefore, kCoupled };

template <Decay kDecay>
struct Came : Factored {
  static constexpr const char* kHyper =
      "lr beta1 beta2 beta3 eps1 eps2 clip_threshold weight_decay maximize";
  static constexpr const char* kStates = "m";
  static constexpr const char* kRows = "r instability_r";
  static constexpr const char* kColumns = "c instability_c";
  static constexpr const char* kVectors = "v -";
  static constexpr Pass kPasses[] = {{true, true, 0, false, false},
                                     {false, false, 1, false, false},
                                     {true, true, 0, true, false},
                                     {false, false, 0, true, false}};
  struct Hyper {
    double lr, beta1, beta2, beta3, eps1, eps2, clip_threshold, weight_decay, maximize;
  };
  struct Constants {
    double beta2, beta3;
    float sign;  // of the gradient
    float beta1, weight1;
    float eps1, eps2;
    float clip;   // what u is divided by
    float decay;  // what p is multiplied by, or weight_decay where p is added to the gradient
    float lr;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    Constants c;
    c.beta2 = h.beta2, c.beta3 = h.beta3;
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.eps1 = rounded(h.eps1), c.eps2 = rounded(h.eps2);
    c.clip = 1.0f;
    c.decay = rounded(kDecay == Decay::kBefore ? 1.0 - h.lr * h.weight_decay : h.weight_decay);
    c.lr = rounded(h.lr);
    return c;
  }

  template <int pass>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, float& m) {
    if constexpr (pass == 3) {
      if constexpr (kDecay == Decay::kBefore) p = p * c.decay;
      p = p - c.lr * (m / root_of(row * column));
      return;
    }
    g = c.sign * g;
    if constexpr (kDecay == Decay::kCoupled) g = g + c.decay * p;
    if constexpr (pass == 0) {
      add.side = g * g + c.eps1;
      return;
    }
    float u = g / root_of(row * column);
    if constexpr (pass == 1) {
      add.total[0] = exact_product(u, u);
    } else {
      u = u / c.clip;
      m = c.beta1 * m + c.weight1 * u;
      add.side = (u - m) * (u - m) + c.eps2;
    }
  }

  template <int pass>
  static void side(const Constants& c, Line, double sum, double terms, float* state) {
    if constexpr (pass == 0) state[0] = averaged(c.beta2, state[0], sum / terms);
    if constexpr (pass == 2) state[1] = averaged(c.beta3, state[1], sum / terms);
  }

  // A vector has no instability.
  template <int pass>
  static float factor(const Constants&, Line line, float before, const float* state,
                      const double* mean) {
    if constexpr (pass == 1) return before;
    if (pass == 2 && line == Line::kVector) return 1.0f;
    const int k = pass / 2;
    return line == Line::kRow ? rounded(state[k] / mean[k]) : state[k];
  }

  template <int pass>
  static void finish(const Hyper& h, double, double size, const double* total, Constants& c) {
    if constexpr (pass == 1) {
      c.clip = rounded(larger(sqrt(total[0] / size) / h.clip_threshold, 1.0));
    }
  }
};

}  // namespace truestep::factored::came

#define TRUESTEP_KERNELS(KERNEL)               \
  KERNEL("decay=before", Came<Decay::kBefore>) \
  KERNEL("decay=coupled", Came<Decay::kCoupled>)
