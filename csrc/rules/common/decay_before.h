// Weight decay that comes before a rule's step: p shrinks, or is added to the gradient.
#pragma once

#include "../rule.h"

namespace truestep::rules {

struct DecayBefore {
  float factor;  // what p is multiplied by, where it shrinks and where it is added
  bool coupled;
};

// amount: weight_decay, times lr where p shrinks by both.
TRUESTEP_HD DecayBefore decay_before(double amount, bool coupled) {
  return {rounded(coupled ? amount : 1.0 - amount), coupled};
}

TRUESTEP_HD void decay(const DecayBefore& d, float& g, float& p) {
  g = d.coupled ? g + d.factor * p : g;
  p = d.coupled ? p : p * d.factor;
}

}  // namespace truestep::rules
