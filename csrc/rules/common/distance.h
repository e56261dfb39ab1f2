// How an estimate of the distance to the solution grows, of rules that adapt to it.
#pragma once

#include "../rule.h"

namespace truestep::rules {

// By their place in the references' lists.
enum Growth { kUnlimited, kLimited };
enum NanEstimate { kTaken, kIgnored };

struct Growing {
  double growth_rate, growth, nan_estimate;
};

// The larger of d and a new estimate; nan where that is, unless it is ignored.
TRUESTEP_HD double grown(const Growing& by, double estimate, double d) {
  if (by.nan_estimate == kIgnored && estimate != estimate) estimate = d;
  if (by.growth == kLimited && estimate > d * by.growth_rate) estimate = d * by.growth_rate;
  return estimate < d ? d : estimate;
}

}  // namespace truestep::rules
