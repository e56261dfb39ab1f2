// CUDA's kernel language for a C++ compiler: include it before a .cu file, which then needs no
// change.
//
// NVIDIA's own headers come first: here those that supply float4 and dim3, and before this one all
// that the source includes. Then the keywords are redefined. A block's threads are fibers of one
// operating-system thread, so __shared__ is that thread's own storage.
//
// Not modelled: textures, surfaces, clusters, cooperative groups, asynchronous copies, tensor
// cores, printf's buffering. A busy wait on a plain load never ends; one on an atomic operation is
// reported.
#pragma once

#include <vector_functions.h>
#include <vector_types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "runtime.h"

#undef __constant__
#undef __device__
#undef __forceinline__
#undef __global__
#undef __host__
#undef __launch_bounds__
#undef __managed__
#undef __shared__
#define __constant__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __global__
#define __host__
#define __launch_bounds__(...)
#define __managed__
// In a function this implies static; after extern it must not say so.
#define __shared__ thread_local

#define blockDim (::cuda_on_cpu::context.block_size)
#define blockIdx (::cuda_on_cpu::context.block_index)
#define gridDim (::cuda_on_cpu::context.grid_size)
#define threadIdx (::cuda_on_cpu::context.thread_index)
#define warpSize (::cuda_on_cpu::kWarpSize)

// The place of the caller, not of the function that has it as a default argument.
#define TRUESTEP_CALLER ::cuda_on_cpu::Place place = {__builtin_FILE(), __builtin_LINE()}

namespace cuda_on_cpu {

template <class T>
std::uint64_t to_word(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable<T>::value, "at most 8 plain bytes");
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

template <class T>
T from_word(std::uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

// CUDA leaves a value read from a lane that takes no part undefined. This one, near float's
// largest, stands out in a sum as in a maximum.
constexpr std::uint64_t kUndefined = 0x7f7fffff7f7fffffu;

template <class T>
T shuffle(unsigned mask, T value, int source, Place place) {
  const Exchange& all = warp_exchange(WarpOperation::kShuffle, mask, to_word(value), place);
  return from_word<T>((all.arrived >> source & 1u) != 0 ? all.value[source] : kUndefined);
}

inline int last_of_segment(int lane, int width) { return lane | (width - 1); }

inline void require_width(int width) {
  if (width < 1 || width > kWarpSize || (width & (width - 1)) != 0) {
    fail("shuffle width must be a power of two in [1, %d], got %d", kWarpSize, width);
  }
}

inline unsigned ballot(unsigned mask, bool predicate, Place place) {
  const Exchange& all = warp_exchange(WarpOperation::kVote, mask, predicate, place);
  unsigned votes = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((all.arrived >> lane & 1u) != 0 && all.value[lane] != 0) votes |= 1u << lane;
  }
  return votes;
}

// An atomic update is a loop of compare and swap on the bits, for every type alike.
template <class T, class Update>
T atomic_update(T* address, Update update) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static_assert(sizeof(T) == sizeof(Bits), "atomics are for 4 and 8 bytes");
  if (reinterpret_cast<std::uintptr_t>(address) % sizeof(T) != 0) {
    fail("atomic operation on misaligned address %p, which needs alignment %zu",
         static_cast<void*>(address), sizeof(T));
  }
  Bits* bits = reinterpret_cast<Bits*>(address);
  Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED), after;
  do {
    const T value = update(from_word<T>(before));
    std::memcpy(&after, &value, sizeof after);
  } while (!__atomic_compare_exchange_n(bits, &before, after, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  return from_word<T>(before);
}

inline void note_attempt(bool changed) {
  constexpr int kPatience = 64;
  if (changed) {
    context.failed_attempts = 0;
  } else if (++context.failed_attempts >= kPatience) {
    wait_for_lock();
  }
}

}  // namespace cuda_on_cpu

inline void __syncthreads(TRUESTEP_CALLER) {
  ::cuda_on_cpu::block_barrier(::cuda_on_cpu::Reduction::kNone, 0, place);
}
inline int __syncthreads_count(int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::block_barrier(::cuda_on_cpu::Reduction::kCount, predicate, place);
}
inline int __syncthreads_and(int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::block_barrier(::cuda_on_cpu::Reduction::kAnd, predicate, place);
}
inline int __syncthreads_or(int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::block_barrier(::cuda_on_cpu::Reduction::kOr, predicate, place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, TRUESTEP_CALLER) {
  ::cuda_on_cpu::warp_exchange(::cuda_on_cpu::WarpOperation::kSync, mask, 0, place);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, TRUESTEP_CALLER) {
  ::cuda_on_cpu::require_width(width);
  const int first = ::cuda_on_cpu::context.lane & ~(width - 1);
  return ::cuda_on_cpu::shuffle(mask, value, first | (source & (width - 1)), place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, TRUESTEP_CALLER) {
  ::cuda_on_cpu::require_width(width);
  const int lane = ::cuda_on_cpu::context.lane;
  const bool inside = delta <= static_cast<unsigned>(lane & (width - 1));
  return ::cuda_on_cpu::shuffle(mask, value, inside ? lane - static_cast<int>(delta) : lane, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, TRUESTEP_CALLER) {
  ::cuda_on_cpu::require_width(width);
  const int lane = ::cuda_on_cpu::context.lane;
  const int room = ::cuda_on_cpu::last_of_segment(lane, width) - lane;
  const bool inside = delta <= static_cast<unsigned>(room);
  return ::cuda_on_cpu::shuffle(mask, value, inside ? lane + static_cast<int>(delta) : lane, place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, TRUESTEP_CALLER) {
  ::cuda_on_cpu::require_width(width);
  const int lane = ::cuda_on_cpu::context.lane;
  const int source = (lane ^ lane_mask) & (::cuda_on_cpu::kWarpSize - 1);
  const bool inside = source <= ::cuda_on_cpu::last_of_segment(lane, width);
  return ::cuda_on_cpu::shuffle(mask, value, inside ? source : lane, place);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::ballot(mask, predicate != 0, place);
}
inline int __any_sync(unsigned mask, int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::ballot(mask, predicate != 0, place) != 0;
}
inline int __all_sync(unsigned mask, int predicate, TRUESTEP_CALLER) {
  return ::cuda_on_cpu::ballot(mask, predicate == 0, place) == 0;
}
inline unsigned __activemask(TRUESTEP_CALLER) { return ::cuda_on_cpu::active_mask(place); }

template <class T>
T atomicAdd(T* address, std::common_type_t<T> value) {
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* address, std::common_type_t<T> value) {
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMax(T* address, std::common_type_t<T> value) {
  static_assert(std::is_integral<T>::value, "CUDA has no atomicMax on floating point");
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return std::max(old, value); });
}
template <class T>
T atomicMin(T* address, std::common_type_t<T> value) {
  static_assert(std::is_integral<T>::value, "CUDA has no atomicMin on floating point");
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return std::min(old, value); });
}
template <class T>
T atomicAnd(T* address, std::common_type_t<T> value) {
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return old & value; });
}
template <class T>
T atomicOr(T* address, std::common_type_t<T> value) {
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return old | value; });
}
template <class T>
T atomicXor(T* address, std::common_type_t<T> value) {
  return ::cuda_on_cpu::atomic_update(address, [=](T old) { return old ^ value; });
}
template <class T>
T atomicExch(T* address, std::common_type_t<T> value) {
  const T old = ::cuda_on_cpu::atomic_update(address, [=](T) { return value; });
  ::cuda_on_cpu::note_attempt(old != value);
  return old;
}
template <class T>
T atomicCAS(T* address, std::common_type_t<T> expected, std::common_type_t<T> value) {
  static_assert(std::is_integral<T>::value, "CUDA's atomicCAS compares integers");
  const T old = ::cuda_on_cpu::atomic_update(
      address, [=](T found) { return found == expected ? value : found; });
  ::cuda_on_cpu::note_attempt(old == expected);
  return old;
}

inline void __threadfence() { ::cuda_on_cpu::memory_fence(); }
inline void __threadfence_block() { ::cuda_on_cpu::memory_fence(); }
inline void __threadfence_system() { ::cuda_on_cpu::memory_fence(); }

template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float __int_as_float(int bits) {
  return ::cuda_on_cpu::from_word<float>(::cuda_on_cpu::to_word(bits));
}
inline float __uint_as_float(unsigned bits) { return ::cuda_on_cpu::from_word<float>(bits); }
inline int __float_as_int(float x) {
  return ::cuda_on_cpu::from_word<int>(::cuda_on_cpu::to_word(x));
}
inline unsigned __float_as_uint(float x) {
  return ::cuda_on_cpu::from_word<unsigned>(::cuda_on_cpu::to_word(x));
}
// Each is one rounding to nearest: contraction is off where kernels are compiled.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }

using std::max;
using std::min;

#undef TRUESTEP_CALLER
