// Rounding to integers, in float32 operations that every compiler vectorises.
#pragma once

#include "host_device.h"

namespace truestep {

// To the nearest integer, ties to even, for magnitudes below 2^22: the sum rounds to it.
TRUESTEP_HD float nearest_integer(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

// nan becomes low.
TRUESTEP_HD float limited(float x, float low, float high) {
  return x > low ? (x < high ? x : high) : low;
}

}  // namespace truestep
