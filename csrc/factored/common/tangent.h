// What AdamP and SGDP have in common (Heo et al. 2021): where all rows of g and p, or else both as
// a whole, are nearly orthogonal, |cos(g, p)| < delta / sqrt(length), the step u loses its part
// along p,
//   u = u - (n . u) n with n = p / (|p| + eps), by row or as a whole,
// and p shrinks less. Vectors and numbers are never projected.
//
// Five passes: what the cosines need by row, g^2, p^2 and g p, one after another, and as a whole in
// the first; p u; the step. Rule states, of the struct's own numbers:
//   gradient(c, g, p)            with the decay that is added to it
//   direction(c, g, states...)   the step u of the gradient, and the states after it
#pragma once

#include "../factored.h"

namespace truestep::factored {

// By their place in the references' lists.
enum Cosine { kFloorOfNorm, kSumWithNorm };
enum TangentDecay { kBefore, kCoupled, kUnscaled };

// The part of a rule's constants that is of this.
struct Tangent {
  double eps, delta;
  bool floor;            // eps is a floor of a norm in the cosine
  bool whole;            // both as a whole are nearly orthogonal
  float along;           // (n . u) n as a whole, over p
  float lr;              // what u is multiplied by
  float decay, coupled;  // what p is multiplied by, and where it is added to the gradient
  float projected_decay;
  float sign;  // of the gradient
};

// amount: what weight_decay comes to, without a share.
TRUESTEP_HD Tangent tangent_of(double eps, double delta, double wd_ratio, double weight_decay,
                               double cosine, double decay, double amount, double lr,
                               double maximize) {
  const bool coupled = decay == kCoupled;
  Tangent t = {};
  t.eps = eps, t.delta = delta;
  t.floor = cosine == kFloorOfNorm;
  t.lr = rounded(lr);
  t.coupled = rounded(coupled ? weight_decay : 0.0);
  t.decay = rounded(coupled ? 1.0 : 1.0 - amount);
  t.projected_decay = rounded(coupled ? 1.0 : 1.0 - amount * wd_ratio);
  t.sign = maximize != 0.0 ? -1.0f : 1.0f;
  return t;
}

// Whether a row, or the whole, of so many elements is nearly orthogonal, from its sums.
TRUESTEP_HD bool nearly_orthogonal(const Tangent& t, double g, double p, double product,
                                   double size) {
  const double of_g = t.floor ? larger(g, t.eps) : g + t.eps;
  const double of_p = t.floor ? larger(p, t.eps) : p + t.eps;
  return fabs(product) / of_g / of_p < t.delta / sqrt(size);
}

// Factors of columns: which projection there is.
constexpr float kNever = 0.0f, kPerhapsWhole = 1.0f, kByRow = 2.0f;

template <class Rule>
struct AlongRows : Factored {
  // The rows' states are room for a step: |g|, then whether the row is nearly orthogonal, then what
  // p is multiplied by in (n . u) n; and |p|.
  static constexpr const char* kRows = "- -";
  static constexpr const char* kColumns = "- -";
  static constexpr const char* kVectors = "- -";
  static constexpr Pass kPasses[] = {{true, false, 3, false, false},
                                     {true, false, 0, false, false},
                                     {true, false, 0, false, false},
                                     {true, false, 2, false, false},
                                     {false, false, 0, true, false}};

  template <int pass, class Constants, class... States>
  TRUESTEP_HD void element(const Constants& c, float row, float column, Addends& add, float g,
                           float& p, States&... state) {
    const Tangent& t = c.tangent;
    g = t.sign * g;
    if (t.coupled != 0.0f) g = g + t.coupled * p;
    if constexpr (pass == 0) {
      add.side = add.total[0] = exact_product(g, g);
      add.total[1] = exact_product(p, p);
      add.total[2] = exact_product(g, p);
    } else if constexpr (pass == 1) {
      add.side = exact_product(p, p);
    } else if constexpr (pass == 2) {
      add.side = exact_product(g, p);
    } else if constexpr (pass == 3) {
      const float u = direction_ahead(c, g, state...);
      add.side = add.total[0] = exact_product(p, u);
      add.total[1] = exact_product(p, p);
    } else {
      const float u = Rule::direction(c, g, state...);
      const bool whole = column == kPerhapsWhole && t.whole;
      const bool projected = column == kByRow || whole;
      const float along = column == kByRow ? row : t.along;
      const float left = u - along * p;
      p = p * (projected ? t.projected_decay : t.decay) - t.lr * (projected ? left : u);
    }
  }

  // The step, while the states stay as they are.
  template <class Constants, class... States>
  TRUESTEP_HD float direction_ahead(const Constants& c, float g, States... state) {
    return Rule::direction(c, g, state...);
  }

  template <int pass, class Constants>
  static void side(const Constants& c, Line line, double sum, double terms, float* state) {
    const Tangent& t = c.tangent;
    if (line != Line::kRow) return;
    if constexpr (pass == 0) {
      state[0] = rounded(sqrt(sum));
    } else if constexpr (pass == 1) {
      state[1] = rounded(sqrt(sum));
    } else if constexpr (pass == 2) {
      state[0] = nearly_orthogonal(t, state[0], state[1], sum, terms) ? 1.0f : 0.0f;
    } else {
      const double length = static_cast<double>(state[1]) + t.eps;
      state[0] = rounded(sum / (length * length));
    }
  }

  template <int pass, class Constants>
  static float factor(const Constants&, Line line, float before, const float* state,
                      const double* mean) {
    if (line == Line::kVector) return kNever;
    if (line == Line::kColumn) return pass != 2 ? before : mean[0] == 1.0 ? kByRow : kPerhapsWhole;
    return pass == 3 ? state[0] : before;
  }

  template <int pass, class Hyper, class Constants>
  static void finish(const Hyper&, double, double size, const double* total, Constants& c) {
    Tangent& t = c.tangent;
    if constexpr (pass == 0) {
      t.whole = nearly_orthogonal(t, sqrt(total[0]), sqrt(total[1]), total[2], size);
    } else if constexpr (pass == 3) {
      const double length = sqrt(total[1]) + t.eps;
      t.along = rounded(total[0] / (length * length));
    }
  }
};

}  // namespace truestep::factored
