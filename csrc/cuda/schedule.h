// Learning rates made on the device, so that a captured graph moves along its schedule by itself:
// it holds this kernel before the optimizer's, and reads no number of the host.
#pragma once

#include "../schedules/schedule.h"

namespace truestep::cuda {

// For each of count rows the rate of the step after t[row] steps made, written to lr[row stride],
// and the counter moved on. Hyper: a schedule's, whose function value is found by it; hyper: its
// doubles, the same for all rows. One thread a row.
template <class Hyper>
__device__ __forceinline__ void advance(const double* hyper, double* t, double* lr,
                                        long long stride, long long count) {
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  long long row = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; row < count; row += step) {
    lr[row * stride] = value(*reinterpret_cast<const Hyper*>(hyper), t[row]);
    t[row] += 1.0;
  }
}

}  // namespace truestep::cuda
