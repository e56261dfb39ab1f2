// How the threads of a block load and store one operand of a chunk. A storage is a header of this
// folder, csrc/cuda/<name>.h, with a struct of that name in UpperCamel:
//
//   template <int place> prepare(kept)             once a launch; the block synchronises after it
//   template <int place> load(kept, from, run, x)  x from run.count on is 0
//   template <int place> store(kept, to, run, x)   every thread of the block calls it
//
// place is the operand's number in the kernel, by which storages keep their shared memory. store
// may replace what neighbouring threads have loaded: it waits for them.
#pragma once

#include "vectors.h"

namespace truestep::cuda {

// A map of 256 ascending values as the host lays it out.
struct Map;

// What a kernel is told of how an operand is kept.
struct Kept {
  const Map* map;  // of storages by a map
  i64 block_size;  // of storages in blocks, else 1
};

// A number format of its own, number by number. Format: Code, decoded(code), encoded(x).
template <class Format>
struct Numbers {
  using Code = typename Format::Code;

  template <int place>
  static __device__ __forceinline__ void prepare(const Kept&) {}

  template <int place>
  static __device__ __forceinline__ void load(const Kept&, const Operand& from, const Run& run,
                                              float (&x)[kItems]) {
    Code code[kItems];
    load_items(static_cast<const Code*>(from.code) + run.begin, run.count, code);
#pragma unroll
    for (int i = 0; i < kItems; ++i) x[i] = Format::decoded(code[i]);
  }

  template <int place>
  static __device__ __forceinline__ void store(const Kept&, const Operand& to, const Run& run,
                                               const float (&x)[kItems]) {
    Code code[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) code[i] = Format::encoded(x[i]);
    store_items(static_cast<Code*>(to.code) + run.begin, run.count, code);
  }
};

}  // namespace truestep::cuda
