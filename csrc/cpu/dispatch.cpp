#include "dispatch.h"

#include <atomic>

namespace truestep::cpu {
namespace {

std::vector<const Kernels*> supported() {
  std::vector<const Kernels*> sets{&kBaselineKernels};
#if defined(TRUESTEP_X86)
  // These also ask the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    sets.push_back(&kAvx2Kernels);
  // Permuting bytes came with Intel's Ice Lake and AMD's Zen 4; the earlier ones run the AVX2 set.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vbmi")) {
    sets.push_back(&kAvx512Kernels);
  }
#endif
  return sets;
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> set{supported().back()};
  return set;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels* set : supported()) names.emplace_back(set->name);
  return names;
}

bool set_instruction_set(const std::string& name) {
  for (const Kernels* set : supported()) {
    if (name == set->name) {
      chosen().store(set);
      return true;
    }
  }
  return false;
}

const Kernels& kernels() { return *chosen().load(); }

}  // namespace truestep::cpu
