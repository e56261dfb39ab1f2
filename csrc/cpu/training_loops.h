// The loops of the forms of a piece: whole lists, units, replicas. Compiled once, for the baseline:
// they are bound by memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../training/piece.h"
#include "parallel.h"
#include "training.h"

namespace truestep::cpu {
namespace {

template <std::size_t>
struct In {
  using Type = const float* __restrict;
};
template <std::size_t>
struct Out {
  using Type = float* __restrict;
};

// Lanes in which a sum is added.
constexpr int kSumLanes = 16;

// A piece's sums, then the sizes of which the largest is wanted.
template <class P>
struct Reduction {
  static constexpr int kCount = P::kSums + P::kLargest;
  double of[kCount > 0 ? kCount : 1] = {};

  static double joined(int k, double x, double y) { return k < P::kSums ? x + y : y > x ? y : x; }

  void join(const Reduction& other) {
    for (int k = 0; k < kCount; ++k) of[k] = joined(k, of[k], other.of[k]);
  }
};

template <class P>
const typename P::Hyper& hyper_of(const TrainingCall& call) {
  return *reinterpret_cast<const typename P::Hyper*>(call.hyper);
}

template <class P, class Inputs, class Outputs>
struct Loops;

template <class P, std::size_t... i, std::size_t... o>
struct Loops<P, std::index_sequence<i...>, std::index_sequence<o...>> {
  // Element `begin` of the tensors of one place.
  static const float* input(const TrainingCall& call, std::size_t k, const Piece& piece) {
    return element<const float>(call.inputs[k * call.count + piece.tensor], piece.begin);
  }

  static float* output(const TrainingCall& call, std::size_t k, const Piece& piece) {
    return element<float>(call.outputs[k * call.count + piece.tensor], piece.begin);
  }

  template <class Constants>
  static void elements(const Constants& constants, std::int64_t n, typename In<i>::Type... in,
                       typename Out<o>::Type... out) {
    const Constants c = constants;
    for (std::int64_t j = 0; j < n; ++j) P::element(c, in[j]..., out[j]...);
  }

  template <class Constants>
  static void elements(const TrainingCall& call, const Constants& constants, const Piece& piece) {
    elements(constants, piece.end - piece.begin, input(call, i, piece)...,
             output(call, o, piece)...);
  }

  // One element of the tensors that begin at in and out.
  template <class Constants>
  static void element_at(const Constants& c, std::int64_t j, const float* const* in,
                         float* const* out) {
    P::element(c, in[i][j]..., out[o][j]...);
  }

  template <class Reduce>
  static Reduction<P> reduced_at(std::int64_t j, const float* const* in, Reduce reduce) {
    Reduction<P> own;
    reduce(in[i][j]..., own.of, own.of + P::kSums);
    return own;
  }

  static void addresses(const TrainingCall& call, const Piece& piece, const float** in,
                        float** out) {
    ((in[i] = input(call, i, piece)), ...);
    ((out[o] = output(call, o, piece)), ...);
  }

  // What the elements of a piece contribute, in an order that follows from its length alone.
  template <class Reduce>
  static Reduction<P> reduced(const TrainingCall& call, const Piece& piece, Reduce reduce) {
    const float* const in[] = {input(call, i, piece)...};
    const std::int64_t n = piece.end - piece.begin;
    double lanes[Reduction<P>::kCount][kSumLanes] = {};
    const auto join = [&](int lane, std::int64_t j) {
      const Reduction<P> own = reduced_at(j, in, reduce);
      for (int k = 0; k < own.kCount; ++k)
        lanes[k][lane] = own.joined(k, lanes[k][lane], own.of[k]);
    };
    std::int64_t j = 0;
    for (; j + kSumLanes <= n; j += kSumLanes) {
      for (int lane = 0; lane < kSumLanes; ++lane) join(lane, j + lane);
    }
    for (int lane = 0; j < n; ++j, ++lane) join(lane, j);
    Reduction<P> all;
    for (int k = 0; k < all.kCount; ++k) {
      for (int width = kSumLanes / 2; width > 0; width /= 2) {
        for (int lane = 0; lane < width; ++lane) {
          lanes[k][lane] = all.joined(k, lanes[k][lane], lanes[k][lane + width]);
        }
      }
      all.of[k] = lanes[k][0];
    }
    return all;
  }
};

template <class P>
using LoopsOf = Loops<P, std::make_index_sequence<names_in(P::kInputs)>,
                      std::make_index_sequence<names_in(P::kOutputs)>>;

// What all tensors contribute: chunks are joined one after another, so that the result follows from
// the sizes alone.
template <class P>
Reduction<P> reduced(const TrainingCall& call, const Partition& partition,
                     const typename P::Constants& constants, int threads) {
  std::vector<std::int64_t> starts{0};
  for (std::int64_t k = 0; k < call.count; ++k) {
    starts.push_back(starts.back() + (call.sizes[k] + kGranule - 1) / kGranule);
  }
  std::vector<Reduction<P>> chunks(static_cast<std::size_t>(starts.back()));
  for_each_piece(partition, threads, [&](const Piece& piece) {
    for (std::int64_t begin = piece.begin; begin < piece.end; begin += kGranule) {
      const Piece chunk{piece.tensor, begin, std::min(begin + kGranule, piece.end)};
      chunks[starts[piece.tensor] + begin / kGranule] =
          LoopsOf<P>::reduced(call, chunk, [&](auto... parts) { P::reduce(constants, parts...); });
    }
  });
  Reduction<P> all;
  for (const Reduction<P>& chunk : chunks) all.join(chunk);
  return all;
}

template <class P>
void run_whole(const TrainingCall& call, int threads) {
  const IeeeEnvironment environment;
  const Partition partition(call.sizes, call.count, kGranule);
  typename P::Constants constants = P::constants(hyper_of<P>(call), call.given, call.numbers);
  Reduction<P> all;
  if constexpr (Reduction<P>::kCount > 0) all = reduced<P>(call, partition, constants, threads);
  P::finish(hyper_of<P>(call), call.given, all.of, all.of + P::kSums, call.numbers, constants);
  for_each_piece(partition, threads,
                 [&](const Piece& piece) { LoopsOf<P>::elements(call, constants, piece); });
}

// A piece's reduce over units.
template <class P>
struct OfUnit {
  template <class... Parts>
  void operator()(Parts... parts) const {
    P::reduce(parts...);
  }
};

// Of a unit of the tensor, from its sums.
template <class P>
typename P::Constants unit_constants(const TrainingCall& call, std::int64_t tensor,
                                     const Reduction<P>& sums) {
  // A list's name ends with [].
  constexpr std::string_view kGiven = P::kGiven;
  constexpr bool kListed = !kGiven.empty() && kGiven.back() == ']';
  return P::finish(hyper_of<P>(call), call.given + (kListed ? tensor : 0), sums.of);
}

// Units that lie together, one after another.
template <class P>
void run_rows(const TrainingCall& call, std::int64_t tensor, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const Piece piece{tensor, row * n, (row + 1) * n};
    Reduction<P> sums;
    if constexpr (sums.kCount > 0) sums = LoopsOf<P>::reduced(call, piece, OfUnit<P>{});
    LoopsOf<P>::elements(call, unit_constants<P>(call, tensor, sums), piece);
  }
}

// The columns of a matrix of rows of n elements.
template <class P>
void run_columns(const TrainingCall& call, const Piece& matrix, std::int64_t n) {
  const float* in[names_in(P::kInputs)];
  float* out[names_in(P::kOutputs)];
  LoopsOf<P>::addresses(call, matrix, in, out);
  std::vector<Reduction<P>> sums(static_cast<std::size_t>(n));
  const std::int64_t size = matrix.end - matrix.begin;
  if constexpr (Reduction<P>::kCount > 0) {
    for (std::int64_t row = 0; row < size; row += n) {
      for (std::int64_t k = 0; k < n; ++k) {
        sums[k].join(LoopsOf<P>::reduced_at(row + k, in, OfUnit<P>{}));
      }
    }
  }
  std::vector<typename P::Constants> constants;
  for (const auto& sum : sums) constants.push_back(unit_constants<P>(call, matrix.tensor, sum));
  for (std::int64_t row = 0; row < size; row += n) {
    for (std::int64_t k = 0; k < n; ++k) LoopsOf<P>::element_at(constants[k], row + k, in, out);
  }
}

// On one thread: units are many and small, or few.
template <class P>
void run_units(const TrainingCall& call) {
  const IeeeEnvironment environment;
  for (std::int64_t tensor = 0; tensor < call.count; ++tensor) {
    const std::int64_t* shape = call.units + 3 * tensor;
    const std::int64_t outer = shape[0], size = shape[1] * shape[2];
    if (shape[2] == 1) {
      run_rows<P>(call, tensor, outer, size);
      continue;
    }
    for (std::int64_t k = 0; k < outer && size > 0; ++k) {
      run_columns<P>(call, {tensor, k * size, (k + 1) * size}, shape[2]);
    }
  }
}

template <class P>
void run_replicas(const TrainingCall& call, int threads) {
  const IeeeEnvironment environment;
  const int count = static_cast<int>(call.count);
  const typename P::Hyper& h = hyper_of<P>(call);
  const double divisor = P::divisor(h, call.given, count);
  std::vector<double> weights;
  for (int k = 0; k < count; ++k) weights.push_back(P::weight(h, call.given, count, k));
  for_each_piece(Partition(call.sizes, 1, kGranule), threads, [&](const Piece& piece) {
    double sum[kGranule];
    for (std::int64_t begin = piece.begin; begin < piece.end; begin += kGranule) {
      const std::int64_t n = std::min(kGranule, piece.end - begin);
      // -0 is what changes no sum, not even one of -0 alone.
      std::fill_n(sum, n, -0.0);
      for (int k = 0; k < count; ++k) {
        const float* g = element<const float>(call.inputs[k], begin);
        for (std::int64_t j = 0; j < n; ++j) sum[j] += weights[k] * static_cast<double>(g[j]);
      }
      float* mean = element<float>(call.outputs[0], begin);
      for (std::int64_t j = 0; j < n; ++j) mean[j] = rounded(sum[j] / divisor);
      for (int k = 1; k < count; ++k) {
        std::copy_n(mean, n, element<float>(call.outputs[k], begin));
      }
    }
  });
}

template <class P>
void run(const TrainingCall& call, int threads) {
  if constexpr (std::is_base_of_v<training::Whole, P>) {
    run_whole<P>(call, threads);
  } else if constexpr (std::is_base_of_v<training::Units, P>) {
    run_units<P>(call);
  } else {
    run_replicas<P>(call, threads);
  }
}

template <class P>
constexpr TrainingKernel training_of(const char* name) {
  static_assert(sizeof(typename P::Hyper) == sizeof(double) * names_in(P::kHyper),
                "a name per double");
  return {name, P::kHyper, P::kInputs, P::kOutputs, P::kGiven, P::kNumbers, P::kFlags, &run<P>};
}

}  // namespace
}  // namespace truestep::cpu
