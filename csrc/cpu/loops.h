// The bodies of the storages, included once per instruction set and compiled with its flags. All of
// it has internal linkage: the linker must never choose one instruction set's copy for another's.
//
// Lookup is the instruction set's way through a codebook:
//   decode(map, code, absmax, x, n)   x_i = value[code_i] * absmax
//   encode(map, x, absmax, code, n)   code_i of x_i / absmax, for 0 < absmax < inf
#pragma once

#include "affine_loops.h"
#include "block_loops.h"
#include "group_loops.h"
#include "kernels.h"
#include "number_loops.h"
#include "split_loops.h"

namespace truestep::cpu {
namespace {

struct BucketLookup {
  static void decode(const Codebook& map, const u8* __restrict code, float absmax,
                     float* __restrict x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) x[i] = dynamic_value(map.values, code[i], absmax);
  }

  static void encode(const Codebook& map, const float* __restrict x, float absmax,
                     u8* __restrict code, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      code[i] = static_cast<u8>(bucket_code(map, x[i] / absmax));
    }
  }
};

// Codes of a map of 256 values, and the absmax of every block.
template <class Lookup>
struct DynamicBlocks {
  static void load(const Kept& kept, const Codes& from, std::int64_t begin, std::int64_t n,
                   float* x) {
    const u8* code = static_cast<const u8*>(from.code) + begin;
    const float* absmax = static_cast<const float*>(from.scale) + begin / kept.block_size;
    for (std::int64_t i = 0; i < n; i += kept.block_size, ++absmax) {
      const std::int64_t length = n - i < kept.block_size ? n - i : kept.block_size;
      Lookup::decode(*kept.map, code + i, *absmax, x + i, length);
    }
  }

  static void store(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                    const float* x) {
    u8* code = static_cast<u8*>(to.code) + begin;
    float* absmax = static_cast<float*>(to.scale) + begin / kept.block_size;
    for (std::int64_t i = 0; i < n; i += kept.block_size, ++absmax) {
      const std::int64_t length = n - i < kept.block_size ? n - i : kept.block_size;
      u32 maximum = 0;
      for (std::int64_t j = i; j < i + length; ++j) {
        const u32 bits = magnitude_bits(x[j]);
        maximum = bits > maximum ? bits : maximum;
      }
      *absmax = float_of(maximum);
      if (divides(maximum)) {
        Lookup::encode(*kept.map, x + i, *absmax, code + i, length);
      } else {
        __builtin_memset(code + i, static_cast<int>(kept.map->code_of_zero),
                         static_cast<std::size_t>(length));
      }
    }
  }
};

void stream_floats(const float* __restrict g, float* __restrict x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += g[i];
}

void stream_bytes(u8* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<u8>(x[i] + 3);
}

template <class Codec>
constexpr StorageKernel storage_of(const char* name, const char* told, int code_bits,
                                   int rest_bytes = 0) {
  return {name, told, code_bits, false, &Codec::load, &Codec::store, rest_bytes};
}

template <class Lookup>
constexpr Kernels kernels_with(const char* name, const RuleTable* rules) {
  return {name,
          rules,
          {{"float32", "", 32, true, nullptr, nullptr, 0},
           storage_of<Numbers<Bfloat16>>("bfloat16", "", 16),
           storage_of<Blocks<false>>("blocks", "format", 8),
           storage_of<Blocks<true>>("blocks_4bit", "format", 4),
           storage_of<DynamicBlocks<Lookup>>("dynamic_8bit", "map", 8),
           storage_of<Numbers<PowersOfTwo>>("power_of_two", "power", 8),
           storage_of<Drawn<PowersOfTwo>>("power_of_two_drawn", "power", 8),
           storage_of<Numbers<SmallFloats<u8>>>("small_float_8bit", "number", 8),
           storage_of<Numbers<CutFloats<u8>>>("small_float_8bit_cut", "number", 8),
           storage_of<Drawn<CutFloats<u8>>>("small_float_8bit_drawn", "number", 8),
           storage_of<Numbers<SmallFloats<u16>>>("small_float_16bit", "number", 16),
           storage_of<Numbers<CutFloats<u16>>>("small_float_16bit_cut", "number", 16),
           storage_of<Drawn<CutFloats<u16>>>("small_float_16bit_drawn", "number", 16),
           storage_of<Splits<Rest::kBits, 8, u8>>("split_bits_8", "", 16, 1),
           storage_of<Splits<Rest::kBits, 16, u16>>("split_bits_16", "", 16, 2),
           storage_of<Splits<Rest::kFraction, 8, signed char>>("split_fraction_8", "", 16, 1),
           storage_of<Splits<Rest::kFraction, 16, short>>("split_fraction_16", "", 16, 2),
           storage_of<Splits<Rest::kSigned, 8, signed char>>("split_signed_bits_8", "", 16, 1),
           storage_of<Splits<Rest::kSigned, 16, short>>("split_signed_bits_16", "", 16, 2)},
          {&Groups::load, &Groups::store},
          {&AffineGroups::load, &AffineGroups::store},
          stream_floats,
          stream_bytes};
}

}  // namespace
}  // namespace truestep::cpu
