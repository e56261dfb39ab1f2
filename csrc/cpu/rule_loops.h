// The loops of a rule's kernels, included once per rule and instruction set and compiled with its
// flags, after the rule's header. All of it has internal linkage.
#pragma once

#include <cstddef>
#include <utility>

#include "rule.h"

namespace truestep::cpu {
namespace {

template <std::size_t>
struct Floats {
  using Type = float* __restrict;
};

// Lanes in which a sum is added, whatever the width of the registers: the same bits everywhere.
constexpr int kLanes = 16;

template <class Rule, std::size_t... k>
void step_run(std::index_sequence<k...>, const typename Rule::Constants& constants, std::int64_t n,
              const float* __restrict g, float* __restrict p, typename Floats<k>::Type... tensor) {
  const typename Rule::Constants c = constants;
  for (std::int64_t i = 0; i < n; ++i) Rule::element(c, g[i], p[i], tensor[i]...);
}

template <class Rule, int line, std::size_t... k>
void line_run(std::index_sequence<k...>, const typename Rule::Constants& constants, std::int64_t n,
              const float* __restrict g, float* __restrict p, typename Floats<k>::Type... tensor) {
  const typename Rule::Constants c = constants;
  for (std::int64_t i = 0; i < n; ++i) Rule::template line<line>(c, g[i], p[i], tensor[i]...);
}

// Element by element into lanes, and then lane by lane: each is a loop over one type.
template <class Rule, std::size_t... k>
void add_run(std::index_sequence<k...>, const typename Rule::Constants& constants, std::int64_t n,
             double* __restrict sums, const float* __restrict g, const float* __restrict p,
             typename Floats<k>::Type... tensor) {
  const typename Rule::Constants c = constants;
  double lanes[Rule::kSums][kLanes] = {};
  for (std::int64_t begin = 0; begin < n; begin += kLanes) {
    const int count = n - begin < kLanes ? static_cast<int>(n - begin) : kLanes;
    double addends[Rule::kSums][kLanes] = {};
    const auto fill = [&](int lane) __attribute__((always_inline)) {
      double addend[Rule::kSums];
      Rule::sums(c, g[begin + lane], p[begin + lane], tensor[begin + lane]..., addend);
      for (int j = 0; j < Rule::kSums; ++j) addends[j][lane] = addend[j];
    };
    if (count == kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) fill(lane);
    } else {
      for (int lane = 0; lane < count; ++lane) fill(lane);
    }
    for (int j = 0; j < Rule::kSums; ++j) {
      for (int lane = 0; lane < kLanes; ++lane) lanes[j][lane] += addends[j][lane];
    }
  }
  for (int j = 0; j < Rule::kSums; ++j) {
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int lane = 0; lane < width; ++lane) lanes[j][lane] += lanes[j][lane + width];
    }
    sums[j] += lanes[j][0];
  }
}

// The functions of a rule without its types.
template <class Rule>
struct Erased {
  using Constants = typename Rule::Constants;
  using Hyper = typename Rule::Hyper;
  static constexpr int kInputs = names_in(Rule::kInputs);
  static constexpr int kTensors = kInputs + names_in(Rule::kStates);
  using Tensors = std::make_index_sequence<kTensors>;

  static_assert(sizeof(Hyper) == sizeof(double) * names_in(Rule::kHyper), "a name per double");
  static_assert(Rule::kFinishes || !Rule::kBegins, "what begins finishes");
  static_assert(sizeof(Constants) <= kMaxConstants && Rule::kSums <= kMaxSums, "see rule.h");
  static_assert(kTensors <= kMaxTensors && names_in(Rule::kNumbers) <= kMaxNumbers, "see rule.h");

  static void constants(const double* hyper, double t, void* constants) {
    *static_cast<Constants*>(constants) =
        Rule::constants(*reinterpret_cast<const Hyper*>(hyper), t);
  }

  static void begin(const double* hyper, double t, const double* numbers, void* constants) {
    if constexpr (Rule::kBegins) {
      Rule::begin(*reinterpret_cast<const Hyper*>(hyper), t, numbers,
                  *static_cast<Constants*>(constants));
    }
  }

  static void finish(const double* hyper, double t, double size, const double* sums,
                     double* numbers, void* constants) {
    if constexpr (Rule::kFinishes) {
      Rule::finish(*reinterpret_cast<const Hyper*>(hyper), t, size, sums, numbers,
                   *static_cast<Constants*>(constants));
    }
  }

  static void step(const void* constants, const float* g, float* p, float* const* tensors,
                   std::int64_t n) {
    apply(Tensors{}, *static_cast<const Constants*>(constants), g, p, tensors, n);
  }

  template <std::size_t... k>
  static void apply(std::index_sequence<k...>, const Constants& c, const float* g, float* p,
                    float* const* tensors, std::int64_t n) {
    static_cast<void>(tensors);
    step_run<Rule>(Tensors{}, c, n, g, p, tensors[k]...);
  }

  static void step_in_place(const void* constants, const float* g, float* p, float* const* tensors,
                            std::int64_t n) {
    const Constants& c = *static_cast<const Constants*>(constants);
    each_line(std::make_integer_sequence<int, Rule::kLines>{}, Tensors{}, c, g, p, tensors, n);
  }

  template <int... line, std::size_t... k>
  static void each_line(std::integer_sequence<int, line...>, std::index_sequence<k...>,
                        [[maybe_unused]] const Constants& c, [[maybe_unused]] const float* g,
                        [[maybe_unused]] float* p, [[maybe_unused]] float* const* tensors,
                        [[maybe_unused]] std::int64_t n) {
    (line_run<Rule, line>(Tensors{}, c, n, g, p, tensors[k]...), ...);
  }

  static void add(const void* constants, const float* g, const float* p,
                  const float* const* tensors, std::int64_t n, double* sums) {
    if constexpr (Rule::kSums > 0) {
      add_each(Tensors{}, *static_cast<const Constants*>(constants), g, p, tensors, n, sums);
    }
  }

  template <std::size_t... k>
  static void add_each(std::index_sequence<k...>, const Constants& c, const float* g,
                       const float* p, const float* const* tensors, std::int64_t n, double* sums) {
    static_cast<void>(tensors);
    // Not written: what a rule adds follows from what the tensors hold.
    add_run<Rule>(Tensors{}, c, n, sums, g, p, const_cast<float*>(tensors[k])...);
  }
};

template <class Rule>
constexpr RuleKernel kernel_of(const char* rule, const char* dialect, const char* type) {
  using E = Erased<Rule>;
  return {rule,
          dialect,
          type,
          Rule::kHyper,
          Rule::kStates,
          Rule::kInputs,
          Rule::kNumbers,
          Rule::kSums,
          &E::constants,
          Rule::kBegins ? &E::begin : nullptr,
          Rule::kFinishes ? &E::finish : nullptr,
          &E::step,
          Rule::kLines > 0 ? &E::step_in_place : &E::step,
          Rule::kSums > 0 ? &E::add : nullptr};
}

}  // namespace
}  // namespace truestep::cpu
