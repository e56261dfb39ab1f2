#include "loops.h"

namespace truestep::cpu {

const Kernels kBaselineKernels = kernels_with<BucketLookup>("baseline", &kBaselineRules);

}  // namespace truestep::cpu
