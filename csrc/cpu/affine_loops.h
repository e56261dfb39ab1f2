// The bodies of formats with two numbers to a group; for what includes it, see loops.h.
#pragma once

#include "group_loops.h"

namespace truestep::cpu {
namespace {

struct AffineGroups {
  static void load(const Kept& kept, const Grouping& grouping, const Codes& from,
                   std::int64_t begin, std::int64_t end, float* x) {
    const AffineFormat& format = *kept.affine;
    const u8* codes = static_cast<const u8*>(from.code);
    for (std::int64_t group = begin; group < end; ++group) {
      float scale, second;
      if (format.minimum) {
        scale = small_float_value(float16_format(), static_cast<const u16*>(from.scale)[group]);
        second = small_float_value(float16_format(), static_cast<const u16*>(from.second)[group]);
      } else {
        scale = static_cast<const float*>(from.scale)[group];
        second = static_cast<const u8*>(from.second)[group];
      }
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        for (std::int64_t i = first; i < first + n; ++i) {
          x[i] = affine_value(format, codes[i], scale, second);
        }
      });
    }
  }

  static void store(const Kept& kept, const Grouping& grouping, const Codes& to, std::int64_t begin,
                    std::int64_t end, const float* x) {
    const AffineFormat& format = *kept.affine;
    u8* codes = static_cast<u8*>(to.code);
    for (std::int64_t group = begin; group < end; ++group) {
      float low = format.own_range ? __builtin_inff() : 0.0f, high = -low;
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        for (std::int64_t i = first; i < first + n; ++i) {
          low = least_of(low, x[i]);
          high = most_of(high, x[i]);
        }
      });
      const AffineScale scale = affine_scale(format, low, high);
      if (format.minimum) {
        static_cast<u16*>(to.scale)[group] = static_cast<u16>(scale.stored);
        static_cast<u16*>(to.second)[group] = static_cast<u16>(scale.second);
      } else {
        static_cast<u32*>(to.scale)[group] = scale.stored;
        static_cast<u8*>(to.second)[group] = static_cast<u8>(scale.second);
      }
      for_each_run(grouping, group, [&](std::int64_t first, std::int64_t n) {
        for (std::int64_t i = first; i < first + n; ++i)
          codes[i] = affine_code(format, scale, x[i]);
      });
    }
  }
};

}  // namespace
}  // namespace truestep::cpu
