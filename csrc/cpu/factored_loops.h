// The loops of a factored rule's kernels, included once per rule and instruction set and compiled
// with its flags, after the rule's header. All of it has internal linkage.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "factored_rule.h"
#include "rule.h"

namespace truestep::cpu {
namespace {

template <std::size_t>
struct State {
  using Type = float* __restrict;
};

// Lanes in which a sum is added, whatever the width of the registers: the same bits everywhere.
constexpr int kLanes = 16;

template <bool kLargest>
double joined(double sum, double addend) {
  return kLargest ? larger(sum, addend) : sum + addend;
}

// What the lanes hold, halved until one is left.
template <bool kLargest>
double joined_lanes(double* lanes) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) {
      lanes[lane] = joined<kLargest>(lanes[lane], lanes[lane + width]);
    }
  }
  return lanes[0];
}

template <class Rule, int pass, bool kColumns, std::size_t... k>
void run_row(std::index_sequence<k...>, const typename Rule::Constants& constants,
             const RowPart& part, const float* __restrict b, const float* __restrict g,
             float* __restrict p, double* __restrict column_sum, typename State<k>::Type... state) {
  constexpr Pass kPass = Rule::kPasses[pass];
  const typename Rule::Constants c = constants;
  const float a = part.row;
  double side[kLanes] = {}, total[kMaxTotals][kLanes] = {};
  const auto one = [&](std::int64_t i, int lane) __attribute__((always_inline)) {
    Addends add{};
    Rule::template element<pass>(c, a, b[i], add, g[i], p[i], state[i]...);
    if constexpr (kPass.rows) side[lane] = joined<kPass.largest>(side[lane], add.side);
    if constexpr (kColumns) column_sum[i] = joined<kPass.largest>(column_sum[i], add.side);
    for (int j = 0; j < kPass.totals; ++j) total[j][lane] += add.total[j];
  };
  std::int64_t i = 0;
  for (; i + kLanes <= part.n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) one(i + lane, lane);
  }
  // Short rows are many: one lane is sooner added up.
  const bool is_short = part.n < kLanes;
  for (int lane = 0; i < part.n; ++i, lane += is_short ? 0 : 1) one(i, lane);
  const auto sum = [&](auto largest, double* lanes) {
    return is_short ? lanes[0] : joined_lanes<largest>(lanes);
  };
  if constexpr (kPass.rows) {
    *part.row_sum =
        joined<kPass.largest>(*part.row_sum, sum(std::bool_constant<kPass.largest>{}, side));
  }
  for (int j = 0; j < kPass.totals; ++j) part.total[j] += sum(std::false_type{}, total[j]);
}

// The functions of a rule without its types.
template <class Rule>
struct ErasedFactored {
  using Constants = typename Rule::Constants;
  using Hyper = typename Rule::Hyper;
  static constexpr int kPasses = sizeof Rule::kPasses / sizeof Rule::kPasses[0];
  static constexpr int kSides = names_in(Rule::kRows);
  using States = std::make_index_sequence<names_in(Rule::kStates)>;

  static_assert(sizeof(Hyper) == sizeof(double) * names_in(Rule::kHyper), "a name per double");
  static_assert(sizeof(Constants) <= kMaxConstants && kPasses <= kMaxPasses, "see the headers");
  static_assert(names_in(Rule::kStates) <= kMaxTensors && kSides <= kMaxSides, "see the headers");
  static_assert(kSides == names_in(Rule::kColumns) && kSides == names_in(Rule::kVectors),
                "a column's and a vector's name per row's");

  static void constants(const double* hyper, double t, void* constants) {
    *static_cast<Constants*>(constants) =
        Rule::constants(*reinterpret_cast<const Hyper*>(hyper), t);
  }

  template <int pass>
  static void run(const void* constants, const RowPart& part) {
    constexpr Pass kPass = Rule::kPasses[pass];
    const Constants& c = *static_cast<const Constants*>(constants);
    if constexpr (kPass.rows || kPass.columns) {
      if (part.column_sum) return run_states<pass, true>(States{}, c, part);
    }
    run_states<pass, false>(States{}, c, part);
  }

  template <int pass, bool kColumns, std::size_t... k>
  static void run_states(std::index_sequence<k...>, const Constants& c, const RowPart& part) {
    run_row<Rule, pass, kColumns>(States{}, c, part, part.column, part.g, part.p, part.column_sum,
                                  part.states[k]...);
  }

  template <int pass>
  static void sides(const void* constants, const Sides& sides) {
    const Constants& c = *static_cast<const Constants*>(constants);
    for (std::int64_t i = 0; i < sides.count; ++i) {
      float state[kMaxSides];
      for (int k = 0; k < kSides; ++k) state[k] = sides.state[k][i];
      Rule::template side<pass>(c, sides.line, sides.sum[i], sides.terms, state);
      for (int k = 0; k < kSides; ++k) sides.state[k][i] = state[k];
    }
  }

  template <int pass>
  static void factors(const void* constants, const Sides& sides) {
    const Constants& c = *static_cast<const Constants*>(constants);
    for (std::int64_t i = 0; i < sides.count; ++i) {
      float state[kMaxSides];
      for (int k = 0; k < kSides; ++k) state[k] = sides.state[k][i];
      sides.factor[i] =
          Rule::template factor<pass>(c, sides.line, sides.factor[i], state, sides.mean);
    }
  }

  template <int pass>
  static void finish(const double* hyper, double t, double size, const double* total,
                     void* constants) {
    Rule::template finish<pass>(*reinterpret_cast<const Hyper*>(hyper), t, size, total,
                                *static_cast<Constants*>(constants));
  }
};

template <class Rule, int... pass>
constexpr FactoredKernel factored_kernel(const char* rule, const char* dialect,
                                         std::integer_sequence<int, pass...>) {
  using E = ErasedFactored<Rule>;
  return {rule,
          dialect,
          Rule::kHyper,
          Rule::kStates,
          Rule::kRows,
          Rule::kColumns,
          Rule::kVectors,
          &E::constants,
          E::kPasses,
          {{Rule::kPasses[pass], &E::template run<pass>, &E::template sides<pass>,
            &E::template factors<pass>, &E::template finish<pass>}...}};
}

template <class Rule>
constexpr FactoredKernel factored_kernel_of(const char* rule, const char* dialect) {
  return factored_kernel<Rule>(rule, dialect,
                               std::make_integer_sequence<int, ErasedFactored<Rule>::kPasses>{});
}

}  // namespace
}  // namespace truestep::cpu
