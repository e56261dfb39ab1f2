// Block-wise dynamic quantization within one chunk: 512 threads of eight consecutive elements each,
// so that block_size / 8 neighbouring threads, a team, share a quantization block.
#pragma once

#include "../formats/dynamic_map.h"
#include "plan.h"

namespace truestep::cuda {

constexpr int kItems = 8;
constexpr int kThreads = kChunk / kItems;
constexpr int kWarp = 32;
constexpr int kWarps = kThreads / kWarp;
constexpr unsigned kWholeWarp = 0xffffffffu;

// A map as the host lays it out: 256 values, then 255 thresholds and one unused number.
struct Map {
  float values[kCodes];
  float thresholds[kCodes];
};

// Copies the maps that a kernel needs. The caller synchronises the block before it looks one up.
template <int count>
__device__ __forceinline__ void load_maps(const Map* from, Map (&to)[count]) {
  const float* source = reinterpret_cast<const float*>(from);
  float* target = reinterpret_cast<float*>(to);
  constexpr int kNumbers = count * 2 * kCodes;
  for (int i = threadIdx.x; i < kNumbers; i += kThreads) target[i] = source[i];
}

// The largest value of each team, for every thread of it, in block_size / 8 threads. Every thread
// of the block must call it. warp_max is overwritten.
__device__ __forceinline__ u32 team_max(u32 x, int block_size, u32 (&warp_max)[kWarps]) {
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

// The thread's elements of an array of floats; those from `count` on are zero.
__device__ __forceinline__ void load_items(const float* from, i64 count, float (&to)[kItems]) {
  if (count >= kItems && aligned<16>(from)) {
    const float4 low = reinterpret_cast<const float4*>(from)[0];
    const float4 high = reinterpret_cast<const float4*>(from)[1];
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
    return;
  }
#pragma unroll
  for (int i = 0; i < kItems; ++i) to[i] = i < count ? from[i] : 0.0f;
}

__device__ __forceinline__ void store_items(float* to, i64 count, const float (&from)[kItems]) {
  if (count >= kItems && aligned<16>(to)) {
    reinterpret_cast<float4*>(to)[0] = {from[0], from[1], from[2], from[3]};
    reinterpret_cast<float4*>(to)[1] = {from[4], from[5], from[6], from[7]};
    return;
  }
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    if (i < count) to[i] = from[i];
  }
}

// The thread's codes, decoded; elements from `count` on are zero.
__device__ __forceinline__ void load_decoded(const u8* code, const float* absmax, const Map& map,
                                             i64 count, float (&to)[kItems]) {
  const float scale = count > 0 ? *absmax : 0.0f;
  if (count >= kItems && aligned<kItems>(code)) {
    const uint2 codes = *reinterpret_cast<const uint2*>(code);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const u32 word = i < 4 ? codes.x : codes.y;
      to[i] = dynamic_value(map.values, word >> (8 * (i % 4)) & 0xffu, scale);
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    to[i] = i < count ? dynamic_value(map.values, code[i], scale) : 0.0f;
  }
}

// Encodes the thread's elements by their block's absmax; the block's first thread stores that.
__device__ __forceinline__ void store_encoded(const float (&x)[kItems], u32 absmax_bits,
                                              const Map& map, u32 code_of_zero, i64 count,
                                              bool first, u8* code, float* absmax) {
  if (count <= 0) return;
  const float scale = float_of(absmax_bits);
  if (first) *absmax = scale;
  const bool scaled = divides(absmax_bits);
  u32 words[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    const u32 found = scaled ? dynamic_code(map.thresholds, x[i] / scale) : code_of_zero;
    words[i / 4] |= found << (8 * (i % 4));
  }
  if (count >= kItems && aligned<kItems>(code)) {
    *reinterpret_cast<uint2*>(code) = {words[0], words[1]};
    return;
  }
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    if (i < count) code[i] = static_cast<u8>(words[i / 4] >> (8 * (i % 4)));
  }
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

}  // namespace truestep::cuda
