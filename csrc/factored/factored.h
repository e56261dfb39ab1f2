// What the headers of factored rules have in common: rules that keep numbers by row and by column
// of a matrix, not by element. A rule is one header, csrc/factored/<name>.h:
//
//   template <choices of its dialect> struct Rule : Factored {
//     kHyper    as in csrc/rules/rule.h
//     kStates   the names of the state tensors that have a number for each element
//     kRows, kColumns   the names of those that have one for each row, and for each column
//     kVectors  their names where a vector is kept by element; "-" for none, which is 1 before the
//               step and forgotten after it
//     kPasses   what each pass over the elements adds up, and whether it writes
//     constants(hyper, t)   as in csrc/rules/rule.h, but for numbers of sides, which are doubles
//     element<pass>(constants, row, column, addends, g, p, states...)
//               one element, float32 operation by operation, from the factors of its row and of its
//               column; p and the states are kept if the pass writes
//     side<pass>(constants, line, sum, terms, states)
//               the states of one row or column after a pass, from what its elements, which are
//               `terms`, added
//     factor<pass>(constants, line, before, states, means)
//               its factor from then on; means: of the rows' states, over the rows of a matrix
//     finish<pass>(hyper, t, size, totals, constants)
//               the tensor's own constants, from the pass's sums over all elements
//   };
//
// A tensor is `leading` matrices of rows and columns. A vector is one row, whose columns are its
// elements; the row has no side. Before the first pass factors are the first state. All sums are
// doubles in an order that follows from the shape alone.
#pragma once

#include "../rules/rule.h"

namespace truestep {

constexpr int kMaxTotals = 3;
constexpr int kMaxSides = 2;

enum class Line { kRow, kColumn, kVector };

// rows, columns: whether the addend of each is wanted. largest: of the addends in place of the sum.
struct Pass {
  bool rows, columns;
  int totals;
  bool writes;
  bool largest;
};

struct Addends {
  double side;
  double total[kMaxTotals];
};

// The parts that a rule does without.
struct Factored {
  template <int pass, class Constants>
  static void side(const Constants&, Line, double, double, float*) {}

  template <int pass, class Constants>
  static float factor(const Constants&, Line, float before, const float*, const double*) {
    return before;
  }

  template <int pass, class Hyper, class Constants>
  static void finish(const Hyper&, double, double, const double*, Constants&) {}
};

// The larger of the two; nan where one of them is.
TRUESTEP_HD double larger(double x, double y) { return x > y || x != x ? x : y; }

// beta x + (1 - beta) y, rounded once.
TRUESTEP_HD float averaged(double beta, float x, double y) {
  return rounded(beta * static_cast<double>(x) + (1.0 - beta) * y);
}

}  // namespace truestep
