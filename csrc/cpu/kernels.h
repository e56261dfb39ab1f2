// What is compiled once per instruction set. Every set computes the same bits: they instantiate the
// same scalar rules and formats, and no operation is fused or re-associated.
#pragma once

#include <cstdint>

#include "rules.h"
#include "storage.h"

namespace truestep::cpu {

struct Kernels {
  const char* name;
  const RuleTable* rules;
  StorageKernel storages[kStorages];
  GroupKernel groups, affine;
  // Adds g to an array of float32, or a small number to every byte: the memory traffic of a step
  // with the least arithmetic.
  void (*stream_floats)(const float* g, float* x, std::int64_t n);
  void (*stream_bytes)(u8* x, std::int64_t n);
};

extern const Kernels kBaselineKernels;
#if defined(TRUESTEP_X86)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace truestep::cpu
