// kItems consecutive codes of a thread in one or two wide accesses, where their address allows it:
// a view into a larger array can start anywhere, and its elements then go one by one.
#pragma once

#include "plan.h"

namespace truestep::cuda {

constexpr int kWidest = 16;  // bytes of one access

template <class Code>
__device__ __forceinline__ bool wide(const Code* address, i64 count) {
  constexpr int kBytes = kItems * static_cast<int>(sizeof(Code));
  return count >= kItems && aligned<(kBytes < kWidest ? kBytes : kWidest)>(address);
}

__device__ __forceinline__ void load_wide(const float* from, float (&to)[kItems]) {
  const float4 low = reinterpret_cast<const float4*>(from)[0];
  const float4 high = reinterpret_cast<const float4*>(from)[1];
  to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
  to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

__device__ __forceinline__ void store_wide(float* to, const float (&from)[kItems]) {
  reinterpret_cast<float4*>(to)[0] = {from[0], from[1], from[2], from[3]};
  reinterpret_cast<float4*>(to)[1] = {from[4], from[5], from[6], from[7]};
}

__device__ __forceinline__ void load_wide(const u16* from, u16 (&to)[kItems]) {
  const uint4 four = *reinterpret_cast<const uint4*>(from);
  const u32 words[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
  for (int i = 0; i < kItems; ++i) to[i] = static_cast<u16>(words[i / 2] >> (16 * (i % 2)));
}

__device__ __forceinline__ void store_wide(u16* to, const u16 (&from)[kItems]) {
  u32 words[4] = {};
#pragma unroll
  for (int i = 0; i < kItems; ++i) words[i / 2] |= static_cast<u32>(from[i]) << (16 * (i % 2));
  *reinterpret_cast<uint4*>(to) = {words[0], words[1], words[2], words[3]};
}

__device__ __forceinline__ void load_wide(const u8* from, u8 (&to)[kItems]) {
  const uint2 two = *reinterpret_cast<const uint2*>(from);
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    to[i] = static_cast<u8>((i < 4 ? two.x : two.y) >> (8 * (i % 4)));
  }
}

__device__ __forceinline__ void store_wide(u8* to, const u8 (&from)[kItems]) {
  u32 words[2] = {};
#pragma unroll
  for (int i = 0; i < kItems; ++i) words[i / 4] |= static_cast<u32>(from[i]) << (8 * (i % 4));
  *reinterpret_cast<uint2*>(to) = {words[0], words[1]};
}

// The thread's codes; those from count on are 0.
template <class Code>
__device__ __forceinline__ void load_items(const Code* from, i64 count, Code (&to)[kItems]) {
  if (wide(from, count)) return load_wide(from, to);
#pragma unroll
  for (int i = 0; i < kItems; ++i) to[i] = i < count ? from[i] : Code{};
}

template <class Code>
__device__ __forceinline__ void store_items(Code* to, i64 count, const Code (&from)[kItems]) {
  if (wide(to, count)) return store_wide(to, from);
#pragma unroll
  for (int i = 0; i < kItems; ++i) {
    if (i < count) to[i] = from[i];
  }
}

}  // namespace truestep::cuda
