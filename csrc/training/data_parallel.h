// data_parallel: g = (g_1 + ... + g_W) / W, or weighed by the workers' numbers of examples. Added
// in double, where no product of a float32 number and a weight below 2^29 rounds: one worker's mean
// is its own gradient, and the order of the others hardly counts.
#pragma once

#include "piece.h"

namespace truestep::training::data_parallel {

enum Form { kSum, kShares };
enum Weights { kWorkers, kExamples };

struct Piece : Replicas {
  static constexpr const char* kHyper = "form weights";
  static constexpr const char* kInputs = "gradients";
  static constexpr const char* kOutputs = "averaged";
  static constexpr const char* kGiven = "sizes[]";
  struct Hyper {
    double form, weights;
  };

  TRUESTEP_HD double total(const Hyper& h, const double* sizes, int count) {
    double sum = 0.0;
    for (int i = 0; i < count; ++i) sum += h.weights == kExamples ? sizes[i] : 1.0;
    return sum;
  }

  TRUESTEP_HD double weight(const Hyper& h, const double* sizes, int count, int i) {
    const double n = h.weights == kExamples ? sizes[i] : 1.0;
    return h.form == kShares ? n / total(h, sizes, count) : n;
  }

  TRUESTEP_HD double divisor(const Hyper& h, const double* sizes, int count) {
    return h.form == kShares ? 1.0 : total(h, sizes, count);
  }
};

}  // namespace truestep::training::data_parallel
