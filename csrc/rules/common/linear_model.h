// The step of MoMo and of MoMo-Adam: as far as an average of linear models of the function takes to
// its lower bound, and no farther than lr.
#pragma once

#include "../rule.h"

namespace truestep::rules {

struct LinearModel {
  double value, product;  // averages of the function's values and of <g, p>
  double size, reach;     // of m with the step's direction, and with p
  double weight;          // what the averages' weights add up to
  double lr, shrink;      // shrink: 1 + lr weight_decay, what p is divided by
  double lower_bound;
  bool adapted;  // the bound is found on the way
  double least;  // the largest size of which there is no step
};

// bound: of the function; refreshed where it is adapted.
TRUESTEP_HD double model_step(const LinearModel& of, double& bound) {
  if (of.adapted) {
    const double least = of.shrink * (of.value - of.product) + of.reach;
    const double reset = least / (2.0 * of.shrink * of.weight);
    if (least < of.shrink * of.weight * bound) {
      bound = reset < of.lower_bound ? of.lower_bound : reset;
    }
  }
  const double gap = of.shrink * (of.value - of.weight * bound - of.product) + of.reach;
  const double longest = of.lr / of.weight;
  const double way = of.size <= of.least ? 0.0 : (gap < 0.0 ? 0.0 : gap) / of.size;
  const double step = way > longest ? longest : way;
  if (of.adapted) {
    const double reached = of.value + of.reach - of.product - step * of.size / 2.0;
    bound = reached / of.weight < of.lower_bound ? of.lower_bound : reached / of.weight;
  }
  return step;
}

}  // namespace truestep::rules
