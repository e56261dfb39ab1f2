// Steps of factored rules over a whole list of tensors in one call, in place.
#pragma once

#include <cstdint>

#include "factored_rule.h"
#include "optimizers.h"

namespace truestep::cpu {

// How a tensor is seen: `leading` matrices, or a vector as one row.
struct View {
  std::int64_t leading, rows, columns, vector;
};

// count tensors; tensor i has the view views[i] and the hyperparameters and step of row rows[i].
// Numbers are kept by element in p, g and states, in storages without blocks.
struct FactoredCall {
  int kernel;  // its place in the table of factored rules
  std::int64_t count;
  const View* views;
  const std::int32_t* rows;
  const double* hyper;
  const double* steps;
  Operand p, g, states[kMaxTensors];
  // Addresses by tensor of the float32 states of its rows and columns.
  const std::int64_t* row_states[kMaxSides];
  const std::int64_t* column_states[kMaxSides];
};

// The kernel of that place, or nullptr beyond the last.
const FactoredKernel* factored_kernel(int kernel);

// threads: zero for OpenMP's choice; the result does not depend on it.
void factored_step(const FactoredCall& call, int threads);

}  // namespace truestep::cpu
