// The constants of a step, from the same header as the kernels: a changed copy of the sources is
// then changed as a whole.
#include "../rules/adamw.h"

extern "C" __attribute__((visibility("default"))) void truestep_adamw_constants(
    double lr, double beta1, double beta2, double eps, double weight_decay, int maximize, double t,
    truestep::AdamWConstants* constants) {
  const truestep::AdamWHyper h{lr, beta1, beta2, eps, weight_decay, maximize != 0};
  *constants = truestep::adamw_constants(h, t);
}
