// The bodies of formats in groups of any grouping; for what includes it, see loops.h.
#pragma once

#include "block_loops.h"

namespace truestep::cpu {
namespace {

// Calls use(begin, n) for every run of consecutive elements of a group.
template <class Use>
void for_each_run(const Grouping& grouping, std::int64_t group, Use use) {
  const std::int64_t across = grouping.tiles_across();
  const std::int64_t j = group % across * grouping.across;
  const std::int64_t i = group / across % grouping.tiles_down() * grouping.down;
  const std::int64_t matrix = group / across / grouping.tiles_down();
  const std::int64_t left = grouping.columns - j, below = grouping.rows - i;
  const std::int64_t length = left < grouping.across ? left : grouping.across;
  const std::int64_t count = below < grouping.down ? below : grouping.down;
  for (std::int64_t row = i; row < i + count; ++row) {
    use((matrix * grouping.rows + row) * grouping.columns + j, length);
  }
}

// Groups of any grouping, a byte to a code.
struct Groups {
  static void load(const Kept& kept, const Grouping& grouping, const Codes& from,
                   std::int64_t begin, std::int64_t end, float* x) {
    const BlockFormat& format = *kept.format;
    const u8* codes = static_cast<const u8*>(from.code);
    for (std::int64_t group = begin; group < end; ++group) {
      const float scale = scale_value(format, scale_at(format, from.scale, group));
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        decode_run(format, scale, codes + first, x + first, n);
      });
    }
  }

  static void store(const Kept& kept, const Grouping& grouping, const Codes& to, std::int64_t begin,
                    std::int64_t end, const float* x) {
    const BlockFormat& format = *kept.format;
    const Stream stream = {kept.seed, static_cast<u64>(to.tensor)};
    u8* codes = static_cast<u8*>(to.code);
    for (std::int64_t group = begin; group < end; ++group) {
      float extreme = 0.0f;
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        extreme = extreme_in(format, x + first, n, extreme);
      });
      const GroupScale scale = scale_of(format, extreme, [&](auto use) {
        for_each_run(grouping, group,
                     [&](std::int64_t first, std::int64_t n) { use(x + first, n); });
      });
      put_scale(format, to.scale, group, scale.stored);
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        for (std::int64_t i = 0; i < n; i += kChunk) {
          const std::int64_t length = n - i < kChunk ? n - i : kChunk;
          encode_chunk(format, scale, stream, first + i, x + first + i, length, codes + first + i);
        }
      });
    }
  }
};

}  // namespace
}  // namespace truestep::cpu
