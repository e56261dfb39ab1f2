// The bodies of storages that keep a number in two parts; for what includes it, see loops.h.
#pragma once

#include "../formats/split.h"
#include "storage.h"

namespace truestep::cpu {
namespace {

// The code is the bfloat16, the scale the rest, one to an element.
template <Rest kRest, int kBits, class Integer>
struct Splits {
  using Parts = Split<kRest, kBits>;

  static void load(const Kept&, const Codes& from, std::int64_t begin, std::int64_t n,
                   float* __restrict x) {
    const u16* __restrict high = static_cast<const u16*>(from.code) + begin;
    const Integer* __restrict rest = static_cast<const Integer*>(from.scale) + begin;
    for (std::int64_t i = 0; i < n; ++i) x[i] = Parts::decode(high[i], rest[i]);
  }

  static void store(const Kept&, const Codes& to, std::int64_t begin, std::int64_t n,
                    const float* __restrict x) {
    u16* __restrict high = static_cast<u16*>(to.code) + begin;
    Integer* __restrict rest = static_cast<Integer*>(to.scale) + begin;
    for (std::int64_t i = 0; i < n; ++i) {
      int own;
      Parts::encode(x[i], high[i], own);
      rest[i] = static_cast<Integer>(own);
    }
  }
};

}  // namespace
}  // namespace truestep::cpu
