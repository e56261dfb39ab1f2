// How a tensor is kept between steps: as float32 numbers, or as codes that a step loads as such and
// stores again. One function each per storage and instruction set; rules do not know of them.
#pragma once

#include <cstdint>

#include "../formats/affine_format.h"
#include "../formats/block_format.h"
#include "codebook.h"

namespace truestep::cpu {

// The arrays of one tensor, and its number in the call. scale: of storages in blocks, one a block;
// of those in two parts, the rest of every element. second: of formats with two numbers to a group
// the other one.
struct Codes {
  void* code;
  void* scale;
  std::int64_t tensor;
  void* second = nullptr;
};

// A storage and what it is told.
struct Kept {
  int storage;              // its place in the table
  std::int64_t block_size;  // of storages in blocks, else 1
  const Codebook* map;      // of dynamic maps
  const SmallFloat* number;
  const PowerOfTwo* power;
  const BlockFormat* format;
  const AffineFormat* affine;
  u64 seed;  // of storages that draw their roundings
};

struct StorageKernel {
  const char* name;
  const char* told;  // which of Kept's pointers it reads, "" for none
  int code_bits;
  // float32 itself: nothing to load or to store.
  bool in_place;
  // Elements [begin, begin + n) of a tensor; begin is a multiple of the block size, and only a
  // tensor's end cuts a block short.
  void (*load)(const Kept& kept, const Codes& from, std::int64_t begin, std::int64_t n, float* x);
  void (*store)(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                const float* x);
  // Of storages in two parts.
  int rest_bytes;
};

// Which elements share a scale: those of a tile of a matrix; matrices lie one behind another. Tiles
// at the end of a row or a column are cut short.
struct Grouping {
  std::int64_t rows, columns;  // of a matrix
  std::int64_t down, across;   // of a tile

  std::int64_t tiles_down() const { return (rows + down - 1) / down; }
  std::int64_t tiles_across() const { return (columns + across - 1) / across; }
};

// The same over groups [begin, end) of any grouping, in their order.
struct GroupKernel {
  void (*load)(const Kept& kept, const Grouping& grouping, const Codes& from, std::int64_t begin,
               std::int64_t end, float* x);
  void (*store)(const Kept& kept, const Grouping& grouping, const Codes& to, std::int64_t begin,
                std::int64_t end, const float* x);
};

constexpr int kStorages = 19;

}  // namespace truestep::cpu
