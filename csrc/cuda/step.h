// The kernels of a rule, whatever its storages. One step is one sequence of launches, in which
// nothing waits for the host:
//
//   constants  counts the step and makes the float32 constants of every row of hyperparameters
//   begin      of rules that finish: the constants of every tensor
//   sums       of rules with sums: what each chunk adds to them
//   finish     of rules that finish: totals the sums, and completes the constants and the numbers
//   step       loads, steps and stores every element
//
// A captured sequence thus counts its own steps, and reads hyperparameters that change in place.
#pragma once

#include "../rules/rule.h"
#include "storage.h"

namespace truestep::cuda {

// Threads of a block of the kernel of constants.
constexpr int kRowThreads = 64;

// Adds up x of all threads of the block, in an order that is always the same; for thread 0.
template <int n>
__device__ __forceinline__ void add_over_block(double (&x)[n]) {
  __shared__ double of_warps[kWarps][n];
#pragma unroll
  for (int j = 0; j < n; ++j) {
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      x[j] += __shfl_xor_sync(kWholeWarp, x[j], lanes);
    }
  }
  // Thread 0 may still be reading those of the call before.
  __syncthreads();
  if (threadIdx.x % kWarp == 0) {
#pragma unroll
    for (int j = 0; j < n; ++j) of_warps[threadIdx.x / kWarp][j] = x[j];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    for (int warp = 1; warp < kWarps; ++warp) x[j] += of_warps[warp][j];
  }
}

// P: of the parameters and gradients; Storages: of the rule's inputs, then of its states.
template <class Rule, class P, class... Storages>
struct Stepping {
  using Hyper = typename Rule::Hyper;
  using Constants = typename Rule::Constants;
  static constexpr int kTensors = sizeof...(Storages);
  static constexpr int kInputs = names_in(Rule::kInputs);
  static constexpr int kNumbers = names_in(Rule::kNumbers);
  static_assert(kTensors == kInputs + names_in(Rule::kStates), "a storage per input and state");
  static_assert(Rule::kFinishes == (Rule::kSums > 0 || kNumbers > 0),
                "a use for what finish makes");
  using Row = Tensor<2 + kTensors>;
  using All = typename IndicesTo<kTensors>::Type;

  // A tensor's elements of one thread. One tensor more, because an array may not be empty.
  struct Elements {
    float p[kItems], g[kItems], x[kTensors + 1][kItems];
  };

  // steps: how many each row has made.
  static __device__ __forceinline__ void constants(const Hyper* hyper, double* steps, i64 rows,
                                                   Constants* constants) {
    const i64 row = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    const double t = steps[row] + 1.0;
    steps[row] = t;
    constants[row] = Rule::constants(hyper[row], t);
  }

  // own: the constants of each of count tensors. numbers: kNumbers of each.
  static __device__ __forceinline__ void begin(const Row* tensors, i64 count, const Hyper* hyper,
                                               const double* steps, const Constants* constants,
                                               const double* numbers, Constants* own) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const i64 row = tensors[i].row;
    Constants c = constants[row];
    if constexpr (Rule::kBegins) {
      Rule::begin(hyper[row], steps[row], numbers + i * kNumbers, c);
    }
    own[i] = c;
  }

  static __device__ __forceinline__ void sums(const Row* tensors, const Chunk* chunks, i64 count,
                                              const Kept* kept, const Constants* own,
                                              double* partials) {
    prepare(All{}, kept);
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
      const Chunk chunk = chunks[k];
      const Row tensor = tensors[chunk.tensor];
      const Run run = run_of(chunk, tensor.size);
      double sum[Rule::kSums] = {};
      add(All{}, own[chunk.tensor], kept, tensor, run, sum);
      add_over_block(sum);
      if (threadIdx.x != 0) continue;
#pragma unroll
      for (int j = 0; j < Rule::kSums; ++j) partials[k * Rule::kSums + j] = sum[j];
    }
  }

  // One block per tensor.
  static __device__ __forceinline__ void finish(const Row* tensors, const Hyper* hyper,
                                                const double* steps, const double* partials,
                                                double* numbers, Constants* own) {
    const i64 i = blockIdx.x;
    const Row tensor = tensors[i];
    double sum[Rule::kSums > 0 ? Rule::kSums : 1] = {};
    if constexpr (Rule::kSums > 0) {
      const i64 end = tensor.chunk + (tensor.size + kChunk - 1) / kChunk;
      for (i64 k = tensor.chunk + threadIdx.x; k < end; k += kThreads) {
#pragma unroll
        for (int j = 0; j < Rule::kSums; ++j) sum[j] += partials[k * Rule::kSums + j];
      }
      add_over_block(sum);
    }
    if (threadIdx.x != 0) return;
    Rule::finish(hyper[tensor.row], steps[tensor.row], static_cast<double>(tensor.size), sum,
                 numbers + i * kNumbers, own[i]);
  }

  // constants: by row, or by tensor of rules that finish.
  static __device__ __forceinline__ void step(const Row* tensors, const Chunk* chunks, i64 count,
                                              const Kept* kept, const Constants* constants) {
    prepare(All{}, kept);
    for (i64 k = blockIdx.x; k < count; k += gridDim.x) {
      const Chunk chunk = chunks[k];
      const Row tensor = tensors[chunk.tensor];
      const Run run = run_of(chunk, tensor.size);
      step_run(All{}, constants[Rule::kFinishes ? chunk.tensor : tensor.row], kept, tensor, run);
    }
  }

 private:
  template <int... k>
  static __device__ __forceinline__ void prepare(Indices<k...>, const Kept* kept) {
    P::template prepare<0>(kept[0]);
    P::template prepare<1>(kept[1]);
    (Storages::template prepare<2 + k>(kept[2 + k]), ...);
    __syncthreads();
  }

  template <int... k>
  static __device__ __forceinline__ void load(Indices<k...>, const Kept* kept, const Row& tensor,
                                              const Run& run, Elements& e) {
    P::template load<0>(kept[0], tensor.operand[0], run, e.p);
    P::template load<1>(kept[1], tensor.operand[1], run, e.g);
    (Storages::template load<2 + k>(kept[2 + k], tensor.operand[2 + k], run, e.x[k]), ...);
  }

  template <int... k>
  static __device__ __forceinline__ void add(Indices<k...> all, const Constants& constants,
                                             const Kept* kept, const Row& tensor, const Run& run,
                                             double* sum) {
    const Constants c = constants;
    Elements e;
    load(all, kept, tensor, run, e);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (i >= run.count) continue;
      double addend[Rule::kSums];
      Rule::sums(c, e.g[i], e.p[i], e.x[k][i]..., addend);
#pragma unroll
      for (int j = 0; j < Rule::kSums; ++j) sum[j] += addend[j];
    }
  }

  template <int... k>
  static __device__ __forceinline__ void step_run(Indices<k...> all, const Constants& constants,
                                                  const Kept* kept, const Row& tensor,
                                                  const Run& run) {
    const Constants c = constants;
    Elements e;
    load(all, kept, tensor, run, e);
#pragma unroll
    for (int i = 0; i < kItems; ++i) Rule::element(c, e.g[i], e.p[i], e.x[k][i]...);
    P::template store<0>(kept[0], tensor.operand[0], run, e.p);
    (store_state<k, Storages>(kept, tensor, run, e), ...);
  }

  template <int k, class Storage>
  static __device__ __forceinline__ void store_state(const Kept* kept, const Row& tensor,
                                                     const Run& run, const Elements& e) {
    if constexpr (k >= kInputs) {
      Storage::template store<2 + k>(kept[2 + k], tensor.operand[2 + k], run, e.x[k]);
    }
  }
};

}  // namespace truestep::cuda
