// y = of_x x^2 + of_y y, where x is the gradient's operand and y the parameter's: a second moment.
#pragma once

#include "../rules/rule.h"

namespace truestep::parts::combine_square {

template <int = 0>
struct CombineSquare : Elementwise {
  static constexpr const char* kHyper = "of_x of_y";
  static constexpr const char* kStates = "";
  struct Hyper {
    double of_x, of_y;
  };
  struct Constants {
    float of_x, of_y;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double) {
    return {rounded(h.of_x), rounded(h.of_y)};
  }

  TRUESTEP_HD void element(const Constants& c, float x, float& y) {
    y = c.of_x * (x * x) + c.of_y * y;
  }
};

}  // namespace truestep::parts::combine_square

#define TRUESTEP_KERNELS(KERNEL) KERNEL("", CombineSquare<>)
