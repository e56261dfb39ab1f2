// A dynamic map prepared for searching in two ways that agree: thresholds in heap order, for
// registers, and a table of buckets, for one load and one comparison.
#pragma once

#include "../formats/dynamic_map.h"

namespace truestep::cpu {

// A bucket is the upper 16 bits of a quotient's magnitude: exponent and 7 bits of mantissa. From
// 2^-23, below every threshold of a dynamic map, to 1 there are kBuckets for each sign.
constexpr u32 kLowestBucket = (127u - 23u) << 7;
constexpr u32 kHighestBucket = 127u << 7;
constexpr u32 kBuckets = kHighestBucket - kLowestBucket + 1;

struct Codebook {
  // The thresholds level by level: 2^l of them from index 2^l on, so that the search is
  // node = 2 node + (tree[node] < quotient), from node = 1 on. tree[0] is not used.
  alignas(64) float tree[kCodes];
  alignas(64) float values[kCodes];
  // Per bucket, positive quotients first: the code of the bucket's least magnitude in the lower
  // half, and in the upper half the last lower-16-bits with that code; beyond it the code is one
  // more, or one less for a negative quotient.
  alignas(64) u32 buckets[2 * kBuckets];
  u32 code_of_zero;
};

// Fills the codebook from values[256]. Returns nullptr, or what is wrong with the values: they must
// ascend strictly, hold zero, and put at most one threshold into a bucket.
const char* build_codebook(const float* values, Codebook& codebook);

// The code of a quotient in [-1, 1], from the buckets.
TRUESTEP_HD u32 bucket_code(const Codebook& codebook, float quotient) {
  const u32 bits = bits_of(quotient);
  const u32 sign = bits >> 31;
  u32 magnitude = bits & 0x7fffffffu;
  magnitude = magnitude < (kLowestBucket << 16) ? kLowestBucket << 16 : magnitude;
  // Never taken; keeps a tensor that another thread writes meanwhile from reading past the table.
  magnitude = magnitude > (kHighestBucket << 16) ? kHighestBucket << 16 : magnitude;
  const u32 bucket = codebook.buckets[(magnitude >> 16) - kLowestBucket + sign * kBuckets];
  const u32 beyond = (magnitude & 0xffffu) > (bucket >> 16) ? 1u : 0u;
  return (bucket & 0xffffu) + (sign != 0 ? 0u - beyond : beyond);
}

}  // namespace truestep::cpu
