// Adafactor (Shazeer & Stern 2018):
//   R = beta2 R + (1 - beta2) mean over columns (g^2 + eps1), C alike over rows
//   U = g / sqrt(R C / mean(R)),  U = U / max(1, RMS(U) / clip_threshold)
//   p = p (1 - lr weight_decay) - max(eps2, RMS(p)) rho U
// Three passes: sums by row and column and p^2; U^2; the step.
#pragma once

#include "factored.h"

namespace truestep::factored::adafactor {

enum class Decay { kBefore, kStep, kUnscaled };
enum class Floor { kInSquare, kFloor };
enum class Average { kNone, kOfStep, kOfUpdate };
// Choices of the step size alone, by their place in the reference's list.
enum Clip { kRms, kNoClip };
enum Scale { kRmsBefore, kRmsAfterDecay, kNoScale };
enum Size { kRelative, kWarmup, kConstant };

template <Decay kDecay = Decay::kBefore, Floor kFloor = Floor::kInSquare,
          Average kAverage = Average::kNone>
struct Adafactor : Factored {
  static constexpr const char* kHyper =
      "lr beta1 decay_rate beta2_cap eps1 eps2 clip_threshold weight_decay min_size maximize axes "
      "clip parameter_scale step_size";
  static constexpr const char* kStates = kAverage == Average::kNone ? "" : "m";
  static constexpr const char* kRows = "r";
  static constexpr const char* kColumns = "c";
  static constexpr const char* kVectors = "v";
  static constexpr Pass kPasses[] = {{true, true, 1, false, false},
                                     {false, false, 1, false, false},
                                     {false, false, 0, true, false}};
  struct Hyper {
    double lr, beta1, decay_rate, beta2_cap, eps1, eps2, clip_threshold, weight_decay, min_size;
    double maximize, axes, clip, parameter_scale, step_size;
  };
  struct Constants {
    double beta2, floor;
    float sign;  // of the gradient
    float eps1;
    float clip;    // what U is divided by
    float size;    // alpha
    float shrink;  // what p is multiplied by before the step
    float decay;   // what of p is taken from it in the step, or before it
    float beta1, weight1;
    bool after;  // whether the root mean square is of the decayed p
  };

  TRUESTEP_HD double rho(const Hyper& h, double t) {
    if (h.step_size == kConstant) return h.lr;
    const double most = h.step_size == kRelative ? h.lr : 1e-6 * t;
    return most < pow(t, -0.5) ? most : pow(t, -0.5);
  }

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c;
    const double beta2 = 1.0 - pow(t, -h.decay_rate);
    c.beta2 = beta2 < h.beta2_cap ? beta2 : h.beta2_cap;
    c.floor = h.eps1;
    c.sign = h.maximize != 0.0 ? -1.0f : 1.0f;
    c.eps1 = rounded(h.eps1);
    c.clip = 1.0f;
    c.size = rounded(rho(h, t));
    c.shrink = rounded(1.0 - h.lr * h.weight_decay);
    c.decay = rounded(kDecay == Decay::kStep ? h.weight_decay * rho(h, t) : h.weight_decay);
    c.beta1 = rounded(h.beta1), c.weight1 = rounded(1.0 - h.beta1);
    c.after = h.parameter_scale == kRmsAfterDecay;
    return c;
  }

  TRUESTEP_HD float decayed(const Constants& c, float p) {
    if constexpr (kDecay == Decay::kBefore) return p * c.shrink;
    if constexpr (kDecay == Decay::kStep) return p - c.decay * p;
    return p;
  }

  template <int pass, class... M>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, M&... momentum) {
    g = c.sign * g;
    if constexpr (pass == 0) {
      const float square = kFloor == Floor::kInSquare ? g * g + c.eps1 : g * g;
      const float scaled = c.after ? decayed(c, p) : p;
      add.side = square;
      add.total[0] = exact_product(scaled, scaled);
    } else {
      float root = root_of(row * column);
      if constexpr (kFloor == Floor::kFloor) root = larger(root, c.eps1);
      const float u = g / root;
      if constexpr (pass == 1) {
        add.total[0] = exact_product(u, u);
      } else {
        stepped(c, u / c.clip, p, momentum...);
      }
    }
  }

  TRUESTEP_HD void stepped(const Constants& c, float u, float& p) { moved(c, c.size * u, p); }

  TRUESTEP_HD void stepped(const Constants& c, float u, float& p, float& m) {
    if constexpr (kAverage == Average::kOfStep) {
      m = c.beta1 * m + c.weight1 * (c.size * u);
      moved(c, m, p);
    } else {
      m = c.beta1 * m + c.weight1 * u;
      moved(c, c.size * m, p);
    }
  }

  TRUESTEP_HD void moved(const Constants& c, float move, float& p) {
    if constexpr (kDecay == Decay::kUnscaled) {
      p = p - (move + c.decay * p);
    } else {
      p = decayed(c, p) - move;
    }
  }

  template <int pass>
  static void side(const Constants& c, Line, double sum, double terms, float* state) {
    if constexpr (pass == 0) state[0] = averaged(c.beta2, state[0], sum / terms);
  }

  template <int pass>
  static float factor(const Constants& c, Line line, float before, const float* state,
                      const double* mean) {
    if constexpr (pass != 0) return before;
    if (line != Line::kRow) return state[0];
    const double divisor = kFloor == Floor::kFloor ? larger(mean[0], c.floor) : mean[0];
    return rounded(state[0] / divisor);
  }

  template <int pass>
  static void finish(const Hyper& h, double t, double size, const double* total, Constants& c) {
    if constexpr (pass == 0) {
      if (h.parameter_scale == kNoScale) return;
      const double scaled = larger(sqrt(total[0] / size), h.eps2) * rho(h, t);
      c.size = rounded(scaled);
      if (kDecay == Decay::kStep && !c.after) c.decay = rounded(h.weight_decay * scaled);
    } else if constexpr (pass == 1) {
      if (h.clip == kRms) c.clip = rounded(larger(sqrt(total[0] / size) / h.clip_threshold, 1.0));
    }
  }
};

}  // namespace truestep::factored::adafactor

#define TRUESTEP_KERNELS(KERNEL)                                                        \
  KERNEL("", Adafactor<>)                                                               \
  KERNEL("eps_placement=floor", Adafactor<Decay::kBefore, Floor::kFloor>)               \
  KERNEL("decay=step", Adafactor<Decay::kStep>)                                         \
  KERNEL("decay=step momentum=of_step",                                                 \
         Adafactor<Decay::kStep, Floor::kInSquare, Average::kOfStep>)                   \
  KERNEL("decay=step parameter_scale=none step_size=constant", Adafactor<Decay::kStep>) \
  KERNEL("parameter_scale=rms_after_decay", Adafactor<>)                                \
  KERNEL("axes=largest decay=unscaled momentum=of_step step_size=constant",             \
         Adafactor<Decay::kUnscaled, Floor::kInSquare, Average::kOfStep>)               \
  KERNEL("axes=largest clip=none parameter_scale=none step_size=constant", Adafactor<>) \
  KERNEL("axes=leading clip=none momentum=of_update",                                   \
         Adafactor<Decay::kBefore, Floor::kInSquare, Average::kOfUpdate>)
