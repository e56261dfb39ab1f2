// Random numbers for stochastic rounding: Philox-4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel
// Random Numbers: As Easy as 1, 2, 3", SC 2011). They are a function of a seed, a tensor's number
// and an element's place, so no two elements, tensors or seeds share one, on any device and in any
// order of work.
#pragma once

#include "host_device.h"

namespace truestep {

using u64 = unsigned long long;
static_assert(sizeof(u64) == 8, "unexpected size");

// What draws belong to.
struct Stream {
  u64 seed;    // of the call
  u64 tensor;  // in the call
};

// The numbers of elements 4 quad, ..., 4 quad + 3.
TRUESTEP_HD void random_four(const Stream& stream, u64 quad, u32 (&out)[4]) {
  u32 key0 = static_cast<u32>(stream.seed), key1 = static_cast<u32>(stream.seed >> 32);
  u32 c0 = static_cast<u32>(quad), c1 = static_cast<u32>(quad >> 32);
  u32 c2 = static_cast<u32>(stream.tensor), c3 = static_cast<u32>(stream.tensor >> 32);
  for (int round = 0; round < 10; ++round) {
    const u64 product0 = static_cast<u64>(0xd2511f53u) * c0;
    const u64 product1 = static_cast<u64>(0xcd9e8d57u) * c2;
    const u32 next0 = static_cast<u32>(product1 >> 32) ^ c1 ^ key0;
    const u32 next2 = static_cast<u32>(product0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<u32>(product1);
    c3 = static_cast<u32>(product0);
    c0 = next0;
    c2 = next2;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

}  // namespace truestep
