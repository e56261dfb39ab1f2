// One kernel of a factored rule as the rest of the C++ sees it: names, and the functions that its
// header describes, over rows of float32 numbers.
#pragma once

#include <cstdint>

#include "../factored/factored.h"

namespace truestep::cpu {

// The numbers of the rows, or of the columns, of one matrix, by side.
struct Sides {
  Line line;
  std::int64_t count;
  float* state[kMaxSides];
  const double* sum;   // of each line's elements
  double terms;        // how many elements a line has
  const double* mean;  // of the rows' states
  float* factor;
};

// A part of one row: n elements, its factor and those of its columns, what they add to. columns may
// be nullptr.
struct RowPart {
  std::int64_t n;
  float row;
  const float* column;
  const float* g;
  float* p;
  float* const* states;
  double* row_sum;
  double* column_sum;
  double* total;
};

struct FactoredPass {
  Pass what;
  void (*run)(const void* constants, const RowPart& part);
  void (*sides)(const void* constants, const Sides& sides);
  void (*factors)(const void* constants, const Sides& sides);
  void (*finish)(const double* hyper, double t, double size, const double* total, void* constants);
};

constexpr int kMaxPasses = 5;

struct FactoredKernel {
  const char* rule;
  const char* dialect;
  const char* hyper;  // names, parted by blanks; so the next four
  const char* states;
  const char* rows;
  const char* columns;
  const char* vectors;
  void (*constants)(const double* hyper, double t, void* constants);
  int passes;
  FactoredPass pass[kMaxPasses];
};

struct FactoredKernels {
  const FactoredKernel* first;
  int count;
};

}  // namespace truestep::cpu
