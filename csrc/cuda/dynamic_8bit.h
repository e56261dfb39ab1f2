// Block-wise dynamic 8-bit codes. Of a block of block_size elements block_size / 8 neighbouring
// threads, a team, have eight each.
#pragma once

#include "../formats/dynamic_map.h"
#include "storage.h"

namespace truestep::cuda {

static_assert(kMaxBlock <= kChunk && kMinBlock % kItems == 0, "a chunk holds whole blocks");

struct Map {
  float values[kCodes];
  float thresholds[kThresholds];
  float code_of_zero;
};

// The map of an operand, in shared memory.
template <int place>
__device__ __forceinline__ Map& shared_map() {
  __shared__ Map map;
  return map;
}

// The largest value of each team, for every thread of it, in block_size / 8 threads. Every thread
// of the block must call it.
__device__ __forceinline__ u32 team_max(u32 x, int block_size) {
  __shared__ u32 warp_max[kWarps];
  const int team = block_size / kItems;
  for (int lanes = 1; lanes < team && lanes < kWarp; lanes *= 2) {
    const u32 other = __shfl_xor_sync(kWholeWarp, x, lanes);
    x = other > x ? other : x;
  }
  if (team <= kWarp) {
    // Shuffles order no memory, and callers overwrite what other threads of the team have read.
    __syncwarp();
    return x;
  }
  const int warp = threadIdx.x / kWarp, warps = team / kWarp;
  // The call before may still be reading.
  __syncthreads();
  if (threadIdx.x % kWarp == 0) warp_max[warp] = x;
  __syncthreads();
  const int first = warp - warp % warps;
  for (int i = first; i < first + warps; ++i) x = warp_max[i] > x ? warp_max[i] : x;
  return x;
}

__device__ __forceinline__ u32 magnitude_of(const float (&x)[kItems]) {
  u32 largest = 0;
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    const u32 bits = magnitude_bits(x[i]);
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

struct Dynamic8bit {
  template <int place>
  static __device__ __forceinline__ void prepare(const Kept& kept) {
    const float* source = kept.map->values;
    float* target = shared_map<place>().values;
    constexpr int kNumbers = sizeof(Map) / sizeof(float);
    for (int i = threadIdx.x; i < kNumbers; i += kThreads) target[i] = source[i];
  }

  template <int place>
  static __device__ __forceinline__ void load(const Kept& kept, const Operand& from, const Run& run,
                                              float (&x)[kItems]) {
    const Map& map = shared_map<place>();
    u8 code[kItems];
    load_items(static_cast<const u8*>(from.code) + run.begin, run.count, code);
    const float absmax = run.count > 0 ? *absmax_of(kept, from, run) : 0.0f;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      x[i] = i < run.count ? dynamic_value(map.values, code[i], absmax) : 0.0f;
    }
  }

  template <int place>
  static __device__ __forceinline__ void store(const Kept& kept, const Operand& to, const Run& run,
                                               const float (&x)[kItems]) {
    const Map& map = shared_map<place>();
    float seen[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) seen[i] = i < run.count ? x[i] : 0.0f;
    // The maximum also waits until every thread has read the absmax that is overwritten below.
    const u32 absmax_bits = team_max(magnitude_of(seen), static_cast<int>(kept.block_size));
    if (run.count <= 0) return;
    const float absmax = float_of(absmax_bits);
    if ((run.begin & (kept.block_size - 1)) == 0) *absmax_of(kept, to, run) = absmax;
    const bool scaled = divides(absmax_bits);
    u8 code[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const u32 found = scaled ? dynamic_code(map.thresholds, seen[i] / absmax)
                               : static_cast<u32>(map.code_of_zero);
      code[i] = static_cast<u8>(found);
    }
    store_items(static_cast<u8*>(to.code) + run.begin, run.count, code);
  }

 private:
  static __device__ __forceinline__ float* absmax_of(const Kept& kept, const Operand& operand,
                                                     const Run& run) {
    const int shift = __ffs(static_cast<int>(kept.block_size)) - 1;
    return static_cast<float*>(operand.scale) + (run.begin >> shift);
  }
};

}  // namespace truestep::cuda
