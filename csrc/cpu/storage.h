// How a tensor is kept between steps: as float32 numbers, or as codes that a step loads as such and
// stores again. One function each per storage and instruction set; rules do not know of them.
#pragma once

#include <cstdint>

#include "codebook.h"

namespace truestep::cpu {

// The arrays of one tensor. scale: of storages in blocks, one number a block.
struct Codes {
  void* code;
  void* scale;
};

// A storage and what it is told.
struct Kept {
  int storage;              // its place in the table
  std::int64_t block_size;  // of storages in blocks, else 1
  const Codebook* map;      // of storages by a map
  unsigned long long seed;  // of storages that round as a random number says
};

struct StorageKernel {
  const char* name;
  // float32 itself: nothing to load or to store.
  bool in_place;
  // Elements [begin, begin + n) of a tensor; begin is a multiple of the block size, and only a
  // tensor's end cuts a block short.
  void (*load)(const Kept& kept, const Codes& from, std::int64_t begin, std::int64_t n, float* x);
  void (*store)(const Kept& kept, const Codes& to, std::int64_t begin, std::int64_t n,
                const float* x);
};

constexpr int kStorages = 3;

}  // namespace truestep::cpu
