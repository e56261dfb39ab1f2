// Storages as Python sees them. What a format is stands in the reference; the facts of each are
// given here by truestep.fast.ours.storages.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "../cpu/codecs.h"
#include "common.h"

namespace truestep::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;
using Bytes = Vector<std::uint8_t>;

// The place of a name in a table of names.
template <class Enum, std::size_t kCount>
Enum named(const char* what, const char* const (&names)[kCount], const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
    known += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  fail(what, " must be one of ", known, "; got ", name);
}

std::vector<float> map_values(const Storage& storage) {
  if (storage.kept.map == nullptr) return {};
  return {storage.kept.map->values, storage.kept.map->values + kCodes};
}

void init_codebook(cpu::Codebook* codebook, Vector<const float> values) {
  require_count("values", values.shape(0), kCodes);
  new (codebook) cpu::Codebook;
  if (const char* wrong = cpu::build_codebook(values.data(), *codebook)) fail(wrong);
}

// nan: of a number without and with a sign bit; own_nan: -1 without one. limit: see SmallFloat.
// away: 1 or -1 where all that is cut off sends numbers above or below zero away from it, else 0.
void init_small_float(SmallFloat* number, int fraction_bits, int min_exponent, u32 largest,
                      u32 overflow, bool minus_zero, u32 nan, u32 negative_nan,
                      std::int64_t own_nan, u32 beyond, u32 limit, int away) {
  if (fraction_bits < 1 || fraction_bits > 10) {
    fail("fraction_bits must lie in [1, 10], got ", fraction_bits);
  }
  if (min_exponent < -126 || min_exponent > 0) {
    fail("min_exponent must lie in [-126, 0], got ", min_exponent);
  }
  SmallFloat f = {};
  f.shift = static_cast<u32>(23 - fraction_bits);
  f.offset = static_cast<u32>(min_exponent + 126) << 23;
  f.least_normal = static_cast<u32>(min_exponent + 127) << 23;
  f.magic = float_of(static_cast<u32>(min_exponent - fraction_bits + 23 + 127) << 23);
  f.spacing = __builtin_ldexpf(1.0f, min_exponent - fraction_bits);
  f.normal = 1u << fraction_bits;
  f.largest = largest;
  f.sign = 1;
  while (f.sign <= largest) f.sign *= 2;
  f.overflow = overflow;
  f.minus_zero = minus_zero ? f.sign : 0;
  f.nan[0] = nan;
  f.nan[1] = negative_nan;
  f.own_nan = own_nan < 0 ? kNoCode : static_cast<u32>(own_nan);
  for (int negative = 0; negative < 2; ++negative) {
    f.away[negative] = negative != 0 ? away < 0 : away > 0;
    f.beyond[negative] = f.away[negative] ? overflow : beyond;
  }
  f.limit = limit;
  new (number) SmallFloat(f);
}

void init_power(PowerOfTwo* power, int emax, u32 cut, bool even, u32 zero, u32 beyond, u32 infinite,
                bool negative_nan) {
  new (power) PowerOfTwo{emax, cut, even, zero, beyond, infinite, negative_nan};
}

constexpr const char* kScales[] = {"absmax", "float32", "float16", "e8m0", "e4m3"};
constexpr const char* kNormalise[] = {"divide", "reciprocal", "inverse"};
constexpr const char* kPowers[] = {"none", "floor", "ceil"};
constexpr const char* kFourOverSix[] = {"off", "mae", "mse"};

// The element tables alone; what follows of scales is given one by one.
void init_format(BlockFormat* format, Vector<const float> values, Vector<const std::uint8_t> codes,
                 Vector<const std::int32_t> keys, const std::string& scale) {
  const std::size_t count = codes.shape(0);
  if (count < 2 || count > kElements) {
    fail("codes must have 2 to ", kElements, " entries, got ", count);
  }
  if (values.shape(0) < count || values.shape(0) > kElements) {
    fail("values must have ", count, " to ", kElements, " entries, got ", values.shape(0));
  }
  require_count("keys", keys.shape(0), count - 1);
  BlockFormat* f = new (format) BlockFormat{};
  f->count = static_cast<int>(count);
  f->few = count <= kFewElements;
  f->scale = named<ScaleKind>("scale", kScales, scale);
  f->largest = f->level = 1.0f;
  std::fill_n(f->values, kElements, float_of(0x7fc00000u));
  std::copy_n(values.data(), values.shape(0), f->values);
  std::fill_n(f->keys, kElements, INT_MAX);
  std::copy_n(keys.data(), count - 1, f->keys);
  std::copy_n(codes.data(), count, f->codes);
  for (std::size_t i = 0; i < count; ++i) {
    if (codes.data()[i] >= values.shape(0)) {
      fail("codes[", i, "] must be below ", values.shape(0), ", got ", int(codes.data()[i]));
    }
    f->ranked[i] = f->values[codes.data()[i]];
  }
}

void choose(BlockFormat& format, const std::string& normalise, const std::string& power,
            const std::string& four_over_six) {
  format.normalise = named<Normalise>("normalise", kNormalise, normalise);
  format.power = named<Power>("power", kPowers, power);
  format.four_over_six = named<FourOverSix>("four_over_six", kFourOverSix, four_over_six);
  if (format.four_over_six != FourOverSix::kOff && (!format.few || format.drawn)) {
    fail("four_over_six must be off where roundings are drawn, or of more than ", kFewElements,
         " elements");
  }
}

void round_to_floats(BlockFormat& format, const SmallFloat& number) {
  format.elements = Elements::kSmallFloats;
  format.number = number;
}

void round_to_integers(BlockFormat& format, float steps, float low, float high, u32 mask) {
  if (!(steps > 0) || !(-256 <= low && low <= high && high <= 256)) {
    fail("integers must lie in [-256, 256], got ", low, " to ", high, " by ", steps);
  }
  format.elements = Elements::kIntegers;
  format.steps = steps;
  format.low = low;
  format.high = high;
  format.mask = mask;
}

void init_storage(Storage* storage, const std::string& name, std::int64_t block_size,
                  const cpu::Codebook* map, const SmallFloat* number, const PowerOfTwo* power,
                  const BlockFormat* format) {
  int place = 0;
  std::string known;
  const cpu::StorageKernel* found = cpu::storage_kernel(0);
  for (; found != nullptr && name != found->name; found = cpu::storage_kernel(++place)) {
    known += (known.empty() ? "" : ", ") + std::string(found->name);
  }
  if (found == nullptr) fail("storage must be one of ", known, "; got ", name);
  const bool power_of_two = (block_size & (block_size - 1)) == 0;
  if (block_size < 1 || block_size > kMaxBlock || !power_of_two) {
    fail("block_size must be a power of two from 1 to ", kMaxBlock, ", got ", block_size);
  }
  const std::pair<const char*, bool> told[] = {{"map", map != nullptr},
                                               {"number", number != nullptr},
                                               {"power", power != nullptr},
                                               {"format", format != nullptr}};
  for (const auto& [what, given] : told) {
    if (given != (std::strcmp(found->told, what) == 0)) {
      fail("storage ", name, given ? " takes no " : " takes a ", what);
    }
  }
  if (found->code_bits < 8 && (block_size == 1 || !format->few)) {
    fail("storage ", name, " is of blocks of at least two codes below ", kFewElements);
  }
  new (storage) Storage{{place, block_size, map, number, power, format, nullptr, 0}};
}

Storage seeded(const Storage& storage, std::uint64_t seed) {
  Storage made = storage;
  made.kept.seed = seed;
  return made;
}

void require_bytes(const Storage& storage, std::int64_t n, std::int64_t scales, const Bytes& code,
                   const Bytes& scale, int threads) {
  require_threads(threads);
  if (storage.kept.storage == 0) fail("float32 numbers have no codes");
  const auto require = [](const char* name, const Bytes& got, std::int64_t bytes) {
    if (static_cast<std::int64_t>(got.shape(0)) < bytes) {
      fail(name, " must have ", bytes, " bytes at least, got ", got.shape(0));
    }
  };
  require("code", code, cpu::code_bytes(storage.kept, n));
  require("scale", scale, scales * cpu::scale_bytes(storage.kept));
}

std::int64_t require_blocks(const Storage& storage, std::size_t n, const Bytes& code,
                            const Bytes& scale, int threads) {
  const std::int64_t size = static_cast<std::int64_t>(n), block = storage.kept.block_size;
  require_bytes(storage, size, (size + block - 1) / block, code, scale, threads);
  return size;
}

void encode(const Storage& storage, Vector<const float> x, Bytes code, Bytes scale, int threads) {
  const std::int64_t n = require_blocks(storage, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::encode(storage.kept, x.data(), {code.data(), scale.data(), 0}, n, threads);
}

void decode(const Storage& storage, Bytes code, Bytes scale, Vector<float> x, int threads) {
  const std::int64_t n = require_blocks(storage, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::decode(storage.kept, {code.data(), scale.data(), 0}, x.data(), n, threads);
}

// The number of groups of n elements.
std::int64_t groups_of(const cpu::Grouping& grouping, std::size_t n) {
  if (std::min({grouping.rows, grouping.columns, grouping.down, grouping.across}) < 1) {
    fail("rows, columns, down and across must be >= 1");
  }
  const std::int64_t size = static_cast<std::int64_t>(n), matrix = grouping.rows * grouping.columns;
  if (size % matrix != 0) fail("x must be of whole matrices of ", matrix, ", got ", size);
  return size / matrix * grouping.tiles_down() * grouping.tiles_across();
}

std::int64_t require_groups(const Storage& storage, const cpu::Grouping& grouping, std::size_t n,
                            const Bytes& code, const Bytes& scale, int threads) {
  if (storage.kept.format == nullptr || cpu::code_bytes(storage.kept, 8) != 8) {
    fail("groups must be those of a storage blocks");
  }
  const std::int64_t groups = groups_of(grouping, n), size = static_cast<std::int64_t>(n);
  require_bytes(storage, size, groups, code, scale, threads);
  return groups;
}

void encode_groups(const Storage& storage, const cpu::Grouping& grouping, Vector<const float> x,
                   Bytes code, Bytes scale, int threads) {
  const std::int64_t n = require_groups(storage, grouping, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::encode_groups(storage.kept, grouping, x.data(), {code.data(), scale.data(), 0}, n, threads);
}

void decode_groups(const Storage& storage, const cpu::Grouping& grouping, Bytes code, Bytes scale,
                   Vector<float> x, int threads) {
  const std::int64_t n = require_groups(storage, grouping, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::decode_groups(storage.kept, grouping, {code.data(), scale.data(), 0}, x.data(), n, threads);
}

std::int64_t require_affine(const AffineFormat& format, const cpu::Grouping& grouping,
                            std::size_t n, const Bytes& code, const Bytes& scale,
                            const Bytes& second, int threads) {
  require_threads(threads);
  const std::int64_t groups = groups_of(grouping, n);
  const std::size_t count = static_cast<std::size_t>(groups);
  require_count("code", code.shape(0), n);
  require_count("bytes of scale", scale.shape(0), count * (format.minimum ? 2 : 4));
  require_count("bytes of second", second.shape(0), count * (format.minimum ? 2 : 1));
  return groups;
}

cpu::Kept kept_affine(const AffineFormat& format) {
  cpu::Kept kept = {};
  kept.affine = &format;
  return kept;
}

void encode_affine(const AffineFormat& format, const cpu::Grouping& grouping, Vector<const float> x,
                   Bytes code, Bytes scale, Bytes second, int threads) {
  const std::int64_t n = require_affine(format, grouping, x.shape(0), code, scale, second, threads);
  const nb::gil_scoped_release unlocked;
  const cpu::Codes codes = {code.data(), scale.data(), 0, second.data()};
  cpu::encode_groups(kept_affine(format), grouping, x.data(), codes, n, threads);
}

void decode_affine(const AffineFormat& format, const cpu::Grouping& grouping, Bytes code,
                   Bytes scale, Bytes second, Vector<float> x, int threads) {
  const std::int64_t n = require_affine(format, grouping, x.shape(0), code, scale, second, threads);
  const nb::gil_scoped_release unlocked;
  const cpu::Codes codes = {code.data(), scale.data(), 0, second.data()};
  cpu::decode_groups(kept_affine(format), grouping, codes, x.data(), n, threads);
}

void init_affine(AffineFormat* format, int bits, bool minimum, bool reciprocal, bool own_range,
                 bool sum_first, float least, float of_zero) {
  if (bits < 1 || bits > 8) fail("bits must lie in [1, 8], got ", bits);
  const int top = (1 << bits) - 1;
  new (format) AffineFormat{top, minimum, reciprocal, own_range, sum_first, least, of_zero};
}

void bind_facts(nb::module_& module) {
  nb::class_<cpu::Codebook>(module, "DynamicMap", "256 ascending values, prepared for searching.")
      .def("__init__", &init_codebook, "values"_a);
  nb::class_<SmallFloat>(module, "SmallFloat", "A floating-point format of 4 to 16 bits.")
      .def("__init__", &init_small_float, "fraction_bits"_a, "min_exponent"_a, "largest"_a,
           "overflow"_a, "minus_zero"_a, "nan"_a, "negative_nan"_a, "own_nan"_a, "beyond"_a,
           "limit"_a, "away"_a);
  nb::class_<PowerOfTwo>(module, "PowerOfTwo", "Which power of two a number becomes.")
      .def("__init__", &init_power, "emax"_a, "cut"_a, "even"_a, "zero"_a, "beyond"_a, "infinite"_a,
           "negative_nan"_a);
  nb::class_<BlockFormat>(module, "BlockFormat", "A format whose elements share scales.")
      .def("__init__", &init_format, "values"_a, "codes"_a, "keys"_a, "scale"_a)
      .def_rw("signed", &BlockFormat::signed_)
      .def_rw("drawn", &BlockFormat::drawn)
      .def_rw("keeps_absmax", &BlockFormat::keeps_absmax)
      .def_rw("largest", &BlockFormat::largest)
      .def_rw("least", &BlockFormat::least)
      .def_rw("level", &BlockFormat::level)
      .def_rw("level_divides", &BlockFormat::level_divides)
      .def_rw("of_zero", &BlockFormat::of_zero)
      .def_rw("powers", &BlockFormat::powers)
      .def("round_to_floats", &round_to_floats, "number"_a,
           "Quotients get codes as this format's, nearest, ties to even; not by the table.")
      .def("round_to_integers", &round_to_integers, "steps"_a, "low"_a, "high"_a, "mask"_a,
           "The same as integers in two's complement, so many steps to 1.")
      .def("choose", &choose, "normalise"_a, "power"_a, "four_over_six"_a);
}

void bind_groups(nb::module_& module) {
  nb::class_<cpu::Grouping>(module, "Grouping", "Tiles of matrices, or lines, or blocks.")
      .def(
          "__init__",
          [](cpu::Grouping* grouping, std::int64_t rows, std::int64_t columns, std::int64_t down,
             std::int64_t across) { new (grouping) cpu::Grouping{rows, columns, down, across}; },
          "rows"_a, "columns"_a, "down"_a, "across"_a);
  nb::class_<AffineFormat>(module, "AffineFormat", "Integers with two numbers to a group.")
      .def("__init__", &init_affine, "bits"_a, "minimum"_a, "reciprocal"_a, "own_range"_a,
           "sum_first"_a, "least"_a, "of_zero"_a);
  module.def("encode_groups", &encode_groups, "storage"_a, "grouping"_a, "x"_a, "code"_a, "scale"_a,
             "threads"_a = 0, "Fill code and scale from x: blocks in another grouping.");
  module.def("decode_groups", &decode_groups, "storage"_a, "grouping"_a, "code"_a, "scale"_a, "x"_a,
             "threads"_a = 0, "Fill x from code and scale: blocks in another grouping.");
  module.def("encode_affine", &encode_affine, "format"_a, "grouping"_a, "x"_a, "code"_a, "scale"_a,
             "second"_a, "threads"_a = 0, "Fill the bytes of code, scale and second from x.");
  module.def("decode_affine", &decode_affine, "format"_a, "grouping"_a, "code"_a, "scale"_a,
             "second"_a, "x"_a, "threads"_a = 0,
             "Fill x from the bytes of code, scale and second.");
}

}  // namespace

void bind_storages(nb::module_& module) {
  bind_facts(module);
  bind_groups(module);
  nb::class_<Storage>(module, "Storage",
                      "How a tensor is kept: the name of a storage, and what it is told.")
      .def("__init__", &init_storage, "name"_a, "block_size"_a = 1, "map"_a.none() = nullptr,
           "number"_a.none() = nullptr, "power"_a.none() = nullptr, "format"_a.none() = nullptr,
           nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>(), nb::keep_alive<1, 6>(),
           nb::keep_alive<1, 7>())
      .def_prop_ro("name",
                   [](const Storage& s) { return cpu::storage_kernel(s.kept.storage)->name; })
      .def_prop_ro("block_size", [](const Storage& s) { return s.kept.block_size; })
      .def_prop_ro("values", &map_values, "The values of its map, if it has one.")
      .def("seeded", &seeded, "seed"_a, nb::keep_alive<0, 1>(),
           "The same, whose roundings are drawn with this seed.");
  module.def("encode", &encode, "storage"_a, "x"_a, "code"_a, "scale"_a, "threads"_a = 0,
             "Fill the bytes of code and scale from x.");
  module.def("decode", &decode, "storage"_a, "code"_a, "scale"_a, "x"_a, "threads"_a = 0,
             "Fill x from the bytes of code and scale.");
}

}  // namespace truestep::bindings
