// Optimizer steps over a whole list of tensors in one call, in place. Addresses are those of
// contiguous arrays.
#pragma once

#include <cstdint>

#include "rule.h"
#include "storage.h"

namespace truestep::cpu {

// Tensors of one role: how all of them are kept, and where each one's codes and scales lie.
struct Operand {
  Kept kept;
  const std::int64_t* code;
  const std::int64_t* scale;
};

// count tensors; tensor i has sizes[i] elements and the hyperparameters and step of row rows[i].
struct Call {
  int kernel;  // its place in the table of rules
  std::int64_t count;
  const std::int64_t* sizes;
  const std::int32_t* rows;
  std::int64_t row_count;
  const double* hyper;  // a row of the rule's hyperparameters each
  const double* steps;
  double* numbers;  // a row of the state's numbers for each tensor
  Operand p, g, tensors[kMaxTensors];
};

// The kernel of that place, or nullptr beyond the last.
const RuleKernel* rule_kernel(int kernel);

// threads: zero for OpenMP's choice; the result does not depend on it.
void step(const Call& call, int threads);

// The memory traffic of a step with next to no arithmetic, to measure it against. The call's
// hyperparameters are not read.
void stream(const Call& call, int threads);

}  // namespace truestep::cpu
