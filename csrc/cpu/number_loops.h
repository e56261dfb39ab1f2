// The bodies of storages that keep every number by itself; for what includes it, see loops.h.
#pragma once

#include "../formats/bfloat16.h"
#include "random_loops.h"
#include "storage.h"

namespace truestep::cpu {
namespace {

// Format: Code, Facts, facts(kept), decoded(facts, code), encoded(facts, x).
template <class Format>
struct Numbers {
  using Code = typename Format::Code;

  static void load(const Kept& kept, const Codes& from, std::int64_t begin, std::int64_t n,
                   float* __restrict x) {
    const typename Format::Facts facts = Format::facts(kept);
    const Code* __restrict code = static_cast<const Code*>(from.code) + begin;
    for (std::int64_t i = 0; i < n; ++i) x[i] = Format::decoded(facts, code[i]);
  }

  static void store(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                    const float* __restrict x) {
    const typename Format::Facts facts = Format::facts(kept);
    Code* __restrict code = static_cast<Code*>(to.code) + begin;
    for (std::int64_t i = 0; i < n; ++i) code[i] = static_cast<Code>(Format::encoded(facts, x[i]));
  }
};

struct Bfloat16 {
  using Code = u16;
  struct Facts {};
  static Facts facts(const Kept&) { return {}; }
  static float decoded(Facts, u16 code) { return bfloat16_to_float(code); }
  static u16 encoded(Facts, float x) { return bfloat16_from_float(x); }
};

struct PowersOfTwo {
  using Code = u8;
  using Facts = PowerOfTwo;
  static Facts facts(const Kept& kept) { return *kept.power; }
  static float decoded(const Facts&, u8 code) { return power_value(code); }
  static u32 encoded(const Facts& facts, float x) { return power_code(facts, x); }
  static u32 drawn(const Facts& facts, float x, u32 random) {
    Facts cut = facts;
    cut.cut = random >> 9;
    return power_code(cut, x);
  }
};

template <class T>
struct SmallFloats {
  using Code = T;
  using Facts = SmallFloat;
  static Facts facts(const Kept& kept) { return *kept.number; }
  static float decoded(const Facts& facts, T code) { return small_float_value(facts, code); }
  static u32 encoded(const Facts& facts, float x) { return small_float_code(facts, x); }
};

// What is cut off decides: above a limit, or a random number, a magnitude goes up.
template <class T>
struct CutFloats : SmallFloats<T> {
  static u32 encoded(const SmallFloat& facts, float x) {
    return small_float_cut(facts, x, facts.limit);
  }
  static u32 drawn(const SmallFloat& facts, float x, u32 random) {
    return small_float_cut(facts, x, random);
  }
};

// A format whose roundings are drawn: besides the others, drawn(facts, x, random).
template <class Format>
struct Drawn : Numbers<Format> {
  using Code = typename Format::Code;

  static void store(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                    const float* x) {
    const typename Format::Facts facts = Format::facts(kept);
    const Stream stream = {kept.seed, static_cast<u64>(to.tensor)};
    Code* __restrict code = static_cast<Code*>(to.code) + begin;
    u32 random[kDraws];
    for (std::int64_t i = 0; i < n; i += kDraws) {
      const std::int64_t length = n - i < kDraws ? n - i : kDraws;
      draw(stream, begin + i, random);
      for (std::int64_t j = 0; j < length; ++j) {
        code[i + j] = static_cast<Code>(Format::drawn(facts, x[i + j], random[j]));
      }
    }
  }
};

}  // namespace
}  // namespace truestep::cpu
