// The angle of a point, which C's library has as atan2, whose last bits differ from one to the
// next: here one sequence of IEEE operations in double, the same bits on every target, rounded to
// float32 once.
#pragma once

#include "host_device.h"

namespace truestep {

// atan2(y, x) for x >= 0; nan where one of them is, and otherwise of any y. With y > 0 the angle is
// one of 0, pi/4 and pi/2 and the arc of a tangent s within tan(pi/8) of zero, whose series ends
// where 2^-40 is left.
TRUESTEP_HD float angle_of(float y, float x) {
  constexpr double kTangent = 0.41421356237309503, kQuarter = 0.78539816339744828;
  const double d = x, e = y < 0.0f ? -static_cast<double>(y) : static_cast<double>(y);
  const bool low = e<kTangent * d, high = kTangent * e> d;
  // The middle's difference and sum are exact: its numbers are within a factor of three.
  const double over = low ? e : high ? -d : e - d;
  const double under = low ? d : high ? e : e + d;
  const double s = over / under, q = s * s;
  double series = 1.0 / 27.0;
  series = -series * q + 1.0 / 25.0;
  series = -series * q + 1.0 / 23.0;
  series = -series * q + 1.0 / 21.0;
  series = -series * q + 1.0 / 19.0;
  series = -series * q + 1.0 / 17.0;
  series = -series * q + 1.0 / 15.0;
  series = -series * q + 1.0 / 13.0;
  series = -series * q + 1.0 / 11.0;
  series = -series * q + 1.0 / 9.0;
  series = -series * q + 1.0 / 7.0;
  series = -series * q + 1.0 / 5.0;
  series = -series * q + 1.0 / 3.0;
  series = -series * q + 1.0;
  const double base = low ? 0.0 : high ? 2.0 * kQuarter : kQuarter;
  double angle = base + s * series;
  // Of nothing it is none, between two infinities the middle one.
  angle = e == d && (e == 0.0 || e - e != 0.0) ? (e == 0.0 ? 0.0 : kQuarter) : angle;
  return static_cast<float>(y < 0.0f ? -angle : angle);
}

}  // namespace truestep
