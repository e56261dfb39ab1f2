// What the build generates for every source: its kernels by name, callable with CUDA's array of
// pointers to arguments, and its dynamic shared memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cuda_on_cpu {

struct Kernel {
  const char* name;
  void (*call)(void** arguments);
  const std::int64_t* parameter_sizes;
  int parameters;
};

struct DynamicShared {
  unsigned char* (*address)();
  std::int64_t capacity;
};

// Defined by the generated table.
extern const Kernel* const kKernels[];
extern const int kKernelCount;
extern const DynamicShared kDynamicShared[];
extern const int kDynamicSharedCount;

template <auto function>
struct Callable;

template <class... Parameters, void (*function)(Parameters...)>
struct Callable<function> {
  static constexpr int kParameters = sizeof...(Parameters);
  // One more, because an array may not be empty.
  static constexpr std::int64_t kSizes[] = {sizeof(Parameters)..., 0};

  static void call(void** arguments) { call(arguments, std::index_sequence_for<Parameters...>()); }

 private:
  template <std::size_t... index>
  static void call([[maybe_unused]] void** arguments, std::index_sequence<index...>) {
    function(*static_cast<Parameters*>(arguments[index])...);
  }
};

template <auto function>
constexpr Kernel describe(const char* name) {
  using Described = Callable<function>;
  return {name, &Described::call, Described::kSizes, Described::kParameters};
}

}  // namespace cuda_on_cpu
