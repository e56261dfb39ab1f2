// A dynamic map prepared for searching in two ways that agree: a table of buckets, for one load and
// one comparison, and lines with tables of bytes, for registers.
#pragma once

#include "../formats/dynamic_map.h"

namespace truestep::cpu {

// A bucket is the upper 16 bits of a quotient's magnitude: exponent and 7 bits of mantissa. From
// 2^-23, below every threshold of a dynamic map, to 1 there are kBuckets for each sign.
constexpr u32 kLowestBucket = (127u - 23u) << 7;
constexpr u32 kHighestBucket = 127u << 7;
constexpr u32 kBuckets = kHighestBucket - kLowestBucket + 1;
constexpr u32 kOctave = 128;  // buckets from one power of two to the next

// As many lines as one 512-bit register has 16-bit elements.
constexpr u32 kLines = 32;

// A guess at the code of every bucket: it, or the code above it, is the code of each quotient in
// the bucket. Between two powers of ten a dynamic map is evenly spaced, so within an octave the
// code is close to one line, or to two that meet in the middle of the guess's freedom. In units of
// 1/256 of a code, modulo 2^16, for bucket k counted from kLowestBucket, mantissa k % kOctave:
//   line = (k + line_shift[k / kOctave]) / kOctave
//   guess = base[line] + (mantissa * 2^9 * slope[line]) / 2^16
// and for a negative quotient twice the code of zero less that, at least 0.
struct Guess {
  alignas(64) u16 line_shift[kLines];
  alignas(64) u16 base[kLines];
  alignas(64) u16 slope[kLines];
  u32 mirror;
};

struct Codebook {
  alignas(64) float values[kCodes];
  // Per bucket, positive quotients first: the code of the bucket's least magnitude in the lower
  // half, and in the upper half the last lower-16-bits with that code; beyond it the code is one
  // more, or one less for a negative quotient.
  alignas(64) u32 buckets[2 * kBuckets];
  Guess guess;
  // The four bytes of values, and of the thresholds with infinity after the last.
  alignas(64) u8 value_bytes[4][kCodes];
  alignas(64) u8 threshold_bytes[4][kCodes];
  u32 code_of_zero;
};

// Fills the codebook from values[256]. Returns nullptr, or what is wrong with the values: they must
// ascend strictly, hold zero, put at most one threshold into a bucket, and follow the lines.
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
