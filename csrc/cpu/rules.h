// The kernels of all rules, one table per instruction set; a kernel has the same place in each.
#pragma once

#include "factored_rule.h"
#include "rule.h"

namespace truestep::cpu {

struct RuleTable {
  const RuleKernels* const* rules;
  int count;
  const FactoredKernels* const* factored;
  int factored_count;
};

extern const RuleTable kBaselineRules;
#if defined(TRUESTEP_X86)
extern const RuleTable kAvx2Rules;
extern const RuleTable kAvx512Rules;
#endif

}  // namespace truestep::cpu
