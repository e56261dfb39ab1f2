// Random numbers for a run of elements; for what includes it, see loops.h.
#pragma once

#include <cstdint>

#include "../formats/random.h"

namespace truestep::cpu {
namespace {

constexpr int kDraws = 256;

// Those of kDraws elements from begin on, which is a multiple of four.
void draw(const Stream& stream, std::int64_t begin, u32 (&random)[kDraws]) {
  const u64 first = static_cast<u64>(begin) / 4;
  for (u64 quad = 0; quad < kDraws / 4; ++quad) {
    u32 four[4];
    random_four(stream, first + quad, four);
    for (int k = 0; k < 4; ++k) random[4 * quad + k] = four[k];
  }
}

}  // namespace
}  // namespace truestep::cpu
