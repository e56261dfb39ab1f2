// By what a step of RAdam is rectified, and whether it is adaptive at all (Liu et al. 2020):
//   rho_inf = 2 / (1 - beta2) - 1,  rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
//   r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
#pragma once

#include "../rule.h"

namespace truestep::rules {

// By their place in the reference's list.
enum Threshold { kAbove4, kAbove5, kFrom5 };

struct Rectified {
  bool adaptive;
  float r;  // 1 where the step is not adaptive
};

TRUESTEP_HD Rectified rectified(double beta2, double t, double threshold) {
  const double power = pow(beta2, t);
  const double limit = 2.0 / (1.0 - beta2) - 1.0;
  const double rho = limit - 2.0 * t * power / (1.0 - power);
  const bool adaptive = threshold == kFrom5 ? rho >= 5.0 : rho > (threshold == kAbove4 ? 4.0 : 5.0);
  const double square = (rho - 4.0) * (rho - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * rho);
  return {adaptive, adaptive ? rounded(sqrt(square)) : 1.0f};
}

}  // namespace truestep::rules
