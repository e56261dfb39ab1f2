// The pieces of csrc/training over lists of float32 tensors, as the rest of the C++ sees them.
#pragma once

#include <cstdint>

namespace truestep::cpu {

// Addresses are those of contiguous arrays; no output overlaps another array.
struct TrainingCall {
  const double* hyper;
  const double* given;
  double* numbers;  // then the flags
  std::int64_t count;
  const std::int64_t* sizes;
  // Of each tensor a row (outer, middle, inner): element [o][m][i] belongs to the unit [o][i].
  const std::int64_t* units;
  const std::int64_t* inputs;  // for each list a row of count addresses
  const std::int64_t* outputs;
};

struct TrainingKernel {
  const char* piece;
  const char* hyper;  // names, parted by blanks; so the next
  const char* inputs;
  const char* outputs;
  const char* given;
  const char* numbers;
  const char* flags;
  // threads: zero for OpenMP's choice; the result does not depend on it.
  void (*run)(const TrainingCall& call, int threads);
};

extern const TrainingKernel kTraining[];
extern const int kTrainingCount;

}  // namespace truestep::cpu
