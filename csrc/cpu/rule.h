// One kernel of a rule as the rest of the C++ sees it: names, and the functions that its header
// describes, over runs of float32 numbers.
#pragma once

#include <cstdint>

namespace truestep::cpu {

// No rule has more constants (in bytes), sums, numbers or tensors besides p and g.
constexpr int kMaxConstants = 256;
constexpr int kMaxSums = 8;
constexpr int kMaxNumbers = 32;
constexpr int kMaxTensors = 8;

struct RuleKernel {
  const char* rule;
  const char* dialect;  // "decay=before momentum=0"
  const char* type;     // its name in C++, after truestep::rules::<rule>::
  const char* hyper;    // names, parted by blanks; so the next three
  const char* states;
  const char* inputs;
  const char* numbers;
  int sums;
  void (*constants)(const double* hyper, double t, void* constants);
  // nullptr where there is nothing to begin or to finish.
  void (*begin)(const double* hyper, double t, const double* numbers, void* constants);
  void (*finish)(const double* hyper, double t, double size, const double* sums, double* numbers,
                 void* constants);
  // tensors: the inputs, then the states; inputs are not written.
  void (*step)(const void* constants, const float* g, float* p, float* const* tensors,
               std::int64_t n);
  // The same in a loop for each of its lines, for tensors that lie in memory as they are.
  void (*step_in_place)(const void* constants, const float* g, float* p, float* const* tensors,
                        std::int64_t n);
  // Adds to sums what n elements contribute; nullptr where sums is 0.
  void (*add)(const void* constants, const float* g, const float* p, const float* const* tensors,
              std::int64_t n, double* sums);
};

struct RuleKernels {
  const RuleKernel* first;
  int count;
};

}  // namespace truestep::cpu
