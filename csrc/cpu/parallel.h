// Running the parts of a partition on OpenMP threads.
#pragma once

#include <unistd.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#if defined(__SANITIZE_THREAD__)
#include <thread>
#include <vector>
#endif

#include <algorithm>
#include <cstdint>

#if defined(TRUESTEP_X86)
#include <immintrin.h>
#endif

#include "../formats/dynamic_map.h"
#include "partition.h"

namespace truestep::cpu {

// Round to nearest with subnormals kept, whatever the thread was left in: other libraries switch
// flushing on (torch.set_flush_denormal, a library linked with -ffast-math), and results must not
// depend on what else runs in the process.
class IeeeEnvironment {
 public:
#if defined(TRUESTEP_X86)
  IeeeEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~IeeeEnvironment() { _mm_setcsr(saved_); }
#else
  IeeeEnvironment() {}
  ~IeeeEnvironment() {}
#endif
  IeeeEnvironment(const IeeeEnvironment&) = delete;
  IeeeEnvironment& operator=(const IeeeEnvironment&) = delete;

 private:
#if defined(TRUESTEP_X86)
  unsigned saved_;
#endif
};

// Cuts fall on multiples of the longest block, which the shorter ones, powers of two, divide.
constexpr std::int64_t kGranule = kMaxBlock;
// Below this many elements a second thread costs more than it saves.
constexpr std::int64_t kSmallestPart = 32768;
// More parts than threads, so that a thread that is held up does not hold up the call.
constexpr std::int64_t kPartsPerThread = 8;

// threads, or OpenMP's choice when it is zero; one in a forked child, where libgomp's pool of the
// parent's threads no longer exists and a parallel region would wait for it for ever.
inline int usable_threads(int threads) {
  static const pid_t loader = getpid();
  if (getpid() != loader) return 1;
#if defined(_OPENMP)
  return threads > 0 ? threads : omp_get_max_threads();
#else
  static_cast<void>(threads);
  return 1;
#endif
}

// Element `offset` of the array at an address.
template <class T>
T* element(std::int64_t address, std::int64_t offset) {
  return reinterpret_cast<T*>(address) + offset;
}

// Calls use(piece) for every piece of the partition, from several threads. use must not throw.
template <class Use>
void for_each_piece(const Partition& partition, int threads, Use use) {
  threads = usable_threads(threads);
  const std::int64_t parts = threads == 1
                                 ? 1
                                 : std::clamp<std::int64_t>(partition.total() / kSmallestPart, 1,
                                                            kPartsPerThread * threads);
  if (parts == 1) {
    const IeeeEnvironment environment;
    partition.for_each_piece(0, 1, use);
    return;
  }
#if defined(__SANITIZE_THREAD__)
  // libgomp is not instrumented, so the race detector would not see that its threads start after
  // the call and end before it returns. Here every part has a standard thread of its own: what two
  // parts share is then a race, whichever threads OpenMP would give them to.
  std::vector<std::thread> team;
  for (std::int64_t part = 0; part < parts; ++part) {
    team.emplace_back([&, part] {
      const IeeeEnvironment environment;
      partition.for_each_piece(part, parts, use);
    });
  }
  for (std::thread& thread : team) thread.join();
#elif defined(_OPENMP)
#pragma omp parallel num_threads(threads)
  {
    const IeeeEnvironment environment;
#pragma omp for schedule(dynamic, 1) nowait
    for (std::int64_t part = 0; part < parts; ++part) partition.for_each_piece(part, parts, use);
  }
#endif
}

}  // namespace truestep::cpu
