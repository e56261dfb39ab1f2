// Optimizer steps over a whole list of tensors in one call, in place. threads: zero for OpenMP's
// choice. Addresses are those of contiguous arrays.
#pragma once

#include <cstdint>

#include "../rules/adamw.h"
#include "codebook.h"

namespace truestep::cpu {

// The constants of step t. Compiled with the kernels' flags: a fused 1 - lr * weight_decay would be
// another number.
AdamWConstants constants_of(const AdamWHyper& hyper, double t);

// count tensors; tensor i has sizes[i] elements and uses constants[constant_index[i]].
struct TensorList {
  std::int64_t count;
  const std::int64_t* sizes;
  const AdamWConstants* constants;
  const std::int32_t* constant_index;
};

struct AdamWAddresses {
  const std::int64_t *p, *g, *m, *v;
};

void adamw_float32(const TensorList& list, const AdamWAddresses& addresses, int threads);

// Parameters and gradients in bfloat16, moments in float32.
void adamw_bfloat16(const TensorList& list, const AdamWAddresses& addresses, int threads);

struct AdamW8bitAddresses {
  const std::int64_t *p, *g, *m_code, *m_absmax, *v_code, *v_absmax;
};

// Parameters and gradients in float32; moments in blocks of 8-bit codes with one absmax each.
void adamw_8bit(const TensorList& list, const AdamW8bitAddresses& addresses, const Codebook& m_map,
                const Codebook& v_map, std::int64_t block_size, int threads);

// The memory traffic of the steps with next to no arithmetic, to measure them against; of the
// 8-bit one without absmax and maps, which it is given all the same.
void stream_float32(const TensorList& list, const AdamWAddresses& addresses, int threads);
void stream_8bit(const TensorList& list, const AdamW8bitAddresses& addresses, const Codebook& m_map,
                 const Codebook& v_map, std::int64_t block_size, int threads);

}  // namespace truestep::cpu
