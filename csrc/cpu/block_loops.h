// The bodies of the formats in groups; for what includes it, see loops.h.
#pragma once

#include "random_loops.h"
#include "storage.h"

namespace truestep::cpu {
namespace {

// Elements that are quantized at a time: an even number, and one that kDraws covers.
constexpr std::int64_t kChunk = kDraws;

// The extreme of what it was before and of n elements; without a sign, its magnitude alone.
float extreme_in(const BlockFormat& format, const float* x, std::int64_t n, float extreme) {
  u32 largest = bits_of(extreme) & 0x7fffffffu;
  const u32 before = largest;
  for (std::int64_t i = 0; i < n; ++i) {
    const u32 bits = bits_of(x[i]) & 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  if (!format.signed_) return float_of(largest);
  if (largest == before) return extreme;
  std::int64_t first = 0;
  while ((bits_of(x[first]) & 0x7fffffffu) != largest) ++first;
  return x[first];
}

void quotients_of(const GroupScale& scale, const float* __restrict x, std::int64_t n,
                  float* __restrict quotient) {
  const float factor = scale.factor;
  if (scale.multiplies) {
    for (std::int64_t i = 0; i < n; ++i) quotient[i] = x[i] * factor;
  } else {
    for (std::int64_t i = 0; i < n; ++i) quotient[i] = x[i] / factor;
  }
}

// Ranks of at most kChunk quotients.
void ranks_of(const BlockFormat& format, const float* __restrict quotient, std::int64_t n,
              u8* __restrict rank) {
  if (format.few) {
    for (std::int64_t i = 0; i < n; ++i) {
      rank[i] = static_cast<u8>(rank_of<true>(format, quotient[i]));
    }
    return;
  }
  // One level of the search for all of them, then the next: a search alone waits for its loads.
  int key[kChunk];
  u32 found[kChunk];
  for (std::int64_t i = 0; i < n; ++i) {
    key[i] = key_of(quotient[i]);
    found[i] = 0;
  }
  for (u32 step = kElements / 2; step != 0; step /= 2) {
    for (std::int64_t i = 0; i < n; ++i) {
      found[i] += step & -static_cast<u32>(format.keys[found[i] + step - 1] < key[i]);
    }
  }
  for (std::int64_t i = 0; i < n; ++i) rank[i] = static_cast<u8>(found[i]);
}

void small_float_codes(const SmallFloat& number, const float* __restrict x, std::int64_t n,
                       u8* __restrict code) {
  const SmallFloat f = number;
  for (std::int64_t i = 0; i < n; ++i) code[i] = static_cast<u8>(small_float_code(f, x[i]));
}

// Rounds the ranks of values below quotients up where random numbers say; begin: see encode_chunk.
void draw_ranks(const BlockFormat& format, const Stream& stream, std::int64_t begin,
                const float* quotient, std::int64_t n, u8* rank) {
  u32 random[kDraws];
  // A run may begin within four numbers that belong together.
  const std::int64_t skipped = begin % 4, covered = n < kDraws - skipped ? n : kDraws - skipped;
  draw(stream, begin - skipped, random);
  for (std::int64_t i = 0; i < covered; ++i) {
    rank[i] = static_cast<u8>(drawn_rank(format, quotient[i], rank[i], random[skipped + i]));
  }
  if (covered < n) draw(stream, begin - skipped + kDraws, random);
  for (std::int64_t i = covered; i < n; ++i) {
    rank[i] = static_cast<u8>(drawn_rank(format, quotient[i], rank[i], random[i - covered]));
  }
}

// Codes of at most kChunk elements of a group; begin: the first one's place in the tensor.
void encode_chunk(const BlockFormat& format, const GroupScale& scale, const Stream& stream,
                  std::int64_t begin, const float* x, std::int64_t n, u8* __restrict code) {
  float quotient[kChunk];
  quotients_of(scale, x, n, quotient);
  if (format.elements == Elements::kIntegers) {
    for (std::int64_t i = 0; i < n; ++i) code[i] = integer_code(format, quotient[i]);
    return;
  }
  if (format.elements == Elements::kSmallFloats) {
    small_float_codes(format.number, quotient, n, code);
    return;
  }
  u8 rank[kChunk];
  ranks_of(format, quotient, n, rank);
  if (format.drawn) draw_ranks(format, stream, begin, quotient, n, rank);
  for (std::int64_t i = 0; i < n; ++i) code[i] = format.codes[rank[i]];
}

void decode_run(const BlockFormat& format, float scale, const u8* __restrict code,
                float* __restrict x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = format.values[code[i]] * scale;
}

// Two codes to a byte, the first in the higher half; of an odd number the last lower half is 0.
void pack(const u8* __restrict code, std::int64_t n, u8* __restrict packed) {
  for (std::int64_t i = 0; i < n / 2; ++i) {
    packed[i] = static_cast<u8>(code[2 * i] << 4 | code[2 * i + 1]);
  }
  if (n % 2 != 0) packed[n / 2] = static_cast<u8>(code[n - 1] << 4);
}

void unpack(const u8* __restrict packed, std::int64_t n, u8* __restrict code) {
  for (std::int64_t i = 0; i < n / 2; ++i) {
    code[2 * i] = packed[i] >> 4;
    code[2 * i + 1] = packed[i] & 15;
  }
  if (n % 2 != 0) code[n - 1] = packed[n / 2] >> 4;
}

u32 scale_at(const BlockFormat& format, const void* scales, std::int64_t i) {
  switch (format.scale) {
    case ScaleKind::kAbsmax:
    case ScaleKind::kFloat32:
      return static_cast<const u32*>(scales)[i];
    case ScaleKind::kFloat16:
      return static_cast<const u16*>(scales)[i];
    default:
      return static_cast<const u8*>(scales)[i];
  }
}

void put_scale(const BlockFormat& format, void* scales, std::int64_t i, u32 stored) {
  switch (format.scale) {
    case ScaleKind::kAbsmax:
    case ScaleKind::kFloat32:
      static_cast<u32*>(scales)[i] = stored;
      break;
    case ScaleKind::kFloat16:
      static_cast<u16*>(scales)[i] = static_cast<u16>(stored);
      break;
    default:
      static_cast<u8*>(scales)[i] = static_cast<u8>(stored);
  }
}

// The scale of a group with this extreme. for_each_run(use) calls use(x, n) for the group's runs.
template <class Runs>
GroupScale scale_of(const BlockFormat& format, float extreme, Runs for_each_run) {
  const GroupScale six = group_scale(format, extreme, format.largest);
  if (format.four_over_six == FourOverSix::kOff) return six;
  const GroupScale four = group_scale(format, extreme, 4.0f);
  const float value6 = scale_value(format, six.stored), value4 = scale_value(format, four.stored);
  double with_six = 0.0, with_four = 0.0;
  for_each_run([&](const float* x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      with_six += static_cast<double>(missed(format, six, value6, x[i]));
      with_four += static_cast<double>(missed(format, four, value4, x[i]));
    }
  });
  return with_four < with_six ? four : six;
}

// Blocks of consecutive elements, as states are kept; kPacked: codes of four bits, two to a byte.
template <bool kPacked>
struct Blocks {
  static void load(const Kept& kept, const Codes& from, std::int64_t begin, std::int64_t n,
                   float* x) {
    const BlockFormat& format = *kept.format;
    const u8* codes = static_cast<const u8*>(from.code);
    for (std::int64_t i = 0; i < n; i += kept.block_size) {
      const std::int64_t end = n - i < kept.block_size ? n : i + kept.block_size;
      const u32 stored = scale_at(format, from.scale, (begin + i) / kept.block_size);
      const float scale = scale_value(format, stored);
      if constexpr (!kPacked) {
        decode_run(format, scale, codes + begin + i, x + i, end - i);
        continue;
      }
      for (std::int64_t j = i; j < end; j += kChunk) {
        const std::int64_t length = end - j < kChunk ? end - j : kChunk;
        u8 code[kChunk];
        unpack(codes + (begin + j) / 2, length, code);
        decode_run(format, scale, code, x + j, length);
      }
    }
  }

  static void store(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                    const float* x) {
    const BlockFormat& format = *kept.format;
    const Stream stream = {kept.seed, static_cast<u64>(to.tensor)};
    u8* codes = static_cast<u8*>(to.code);
    for (std::int64_t i = 0; i < n; i += kept.block_size) {
      const std::int64_t end = n - i < kept.block_size ? n : i + kept.block_size;
      const GroupScale scale = scale_of(format, extreme_in(format, x + i, end - i, 0.0f),
                                        [&](auto use) { use(x + i, end - i); });
      put_scale(format, to.scale, (begin + i) / kept.block_size, scale.stored);
      for (std::int64_t j = i; j < end; j += kChunk) {
        const std::int64_t length = end - j < kChunk ? end - j : kChunk;
        u8 code[kChunk];
        u8* const into = kPacked ? code : codes + begin + j;
        encode_chunk(format, scale, stream, begin + j, x + j, length, into);
        if constexpr (kPacked) pack(code, length, codes + (begin + j) / 2);
      }
    }
  }
};

}  // namespace
}  // namespace truestep::cpu
