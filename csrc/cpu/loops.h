// The bodies of the kernels, included once per instruction set and compiled with its flags. All of
// it has internal linkage: the linker must never choose one instruction set's copy for another's.
//
// Lookup is the instruction set's way through a codebook:
//   decode(map, code, absmax, x, n)   x_i = value[code_i] * absmax
//   encode(map, x, absmax, code, n)   code_i of x_i / absmax, for 0 < absmax < inf
#pragma once

#include "../formats/bfloat16.h"
#include "kernels.h"

namespace truestep::cpu {
namespace {

// Elements that stay in the first-level cache while one array after another is read and written.
// Going through all four arrays at once is bound by how memory and the prefetchers cope with four
// streams at the same offset in their pages: on AMD Zen 4 that takes a quarter longer.
constexpr std::int64_t kStreamed = 512;

// Calls use(begin, end) for the runs of up to kStreamed elements.
template <class Use>
inline __attribute__((always_inline)) void for_each_streamed(std::int64_t n, Use use) {
  for (std::int64_t begin = 0; begin < n; begin += kStreamed) {
    use(begin, n - begin < kStreamed ? n : begin + kStreamed);
  }
}

void adamw_float32_loop(const AdamWConstants& constants, const float* __restrict g,
                        float* __restrict p, float* __restrict m, float* __restrict v,
                        std::int64_t n) {
  const AdamWConstants c = constants;
  for_each_streamed(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) adamw_first_moment(c, g[i], m[i]);
    for (std::int64_t i = begin; i < end; ++i) adamw_second_moment(c, g[i], v[i]);
    for (std::int64_t i = begin; i < end; ++i) adamw_parameter(c, m[i], v[i], p[i]);
  });
}

void adamw_bfloat16_loop(const AdamWConstants& constants, const u16* __restrict g,
                         u16* __restrict p, float* __restrict m, float* __restrict v,
                         std::int64_t n) {
  const AdamWConstants c = constants;
  for_each_streamed(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) adamw_first_moment(c, bfloat16_to_float(g[i]), m[i]);
    for (std::int64_t i = begin; i < end; ++i)
      adamw_second_moment(c, bfloat16_to_float(g[i]), v[i]);
    for (std::int64_t i = begin; i < end; ++i) {
      float parameter = bfloat16_to_float(p[i]);
      adamw_parameter(c, m[i], v[i], parameter);
      p[i] = bfloat16_from_float(parameter);
    }
  });
}

struct BucketLookup {
  static void decode(const Codebook& map, const u8* __restrict code, float absmax,
                     float* __restrict x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) x[i] = dynamic_value(map.values, code[i], absmax);
  }

  static void encode(const Codebook& map, const float* __restrict x, float absmax,
                     u8* __restrict code, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      code[i] = static_cast<u8>(bucket_code(map, x[i] / absmax));
    }
  }
};

template <class Lookup>
void encode_block(const Codebook& map, const float* x, u32 absmax_bits, u8* code, float* absmax,
                  std::int64_t n) {
  *absmax = float_of(absmax_bits);
  if (divides(absmax_bits)) {
    Lookup::encode(map, x, *absmax, code, n);
  } else {
    __builtin_memset(code, static_cast<int>(map.code_of_zero), static_cast<std::size_t>(n));
  }
}

// Steps p and the decoded moments of one block and finds the moments' absmax.
void adamw_block(const AdamWConstants& constants, const float* __restrict g, float* __restrict p,
                 float* __restrict m, float* __restrict v, std::int64_t n, u32& m_absmax,
                 u32& v_absmax) {
  const AdamWConstants c = constants;
  u32 m_max = 0, v_max = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    adamw_element(c, g[i], p[i], m[i], v[i]);
    const u32 m_bits = magnitude_bits(m[i]), v_bits = magnitude_bits(v[i]);
    m_max = m_bits > m_max ? m_bits : m_max;
    v_max = v_bits > v_max ? v_bits : v_max;
  }
  m_absmax = m_max;
  v_absmax = v_max;
}

template <class Lookup>
void adamw_8bit_loop(const AdamWConstants& c, const Codebook& m_map, const Codebook& v_map,
                     const AdamW8bitRun& run, std::int64_t n, std::int64_t block_size) {
  alignas(64) float m[kMaxBlock], v[kMaxBlock];
  for (std::int64_t begin = 0, block = 0; begin < n; begin += block_size, ++block) {
    const std::int64_t length = n - begin < block_size ? n - begin : block_size;
    u8* m_code = run.m_code + begin;
    u8* v_code = run.v_code + begin;
    Lookup::decode(m_map, m_code, run.m_absmax[block], m, length);
    Lookup::decode(v_map, v_code, run.v_absmax[block], v, length);
    u32 m_max, v_max;
    adamw_block(c, run.g + begin, run.p + begin, m, v, length, m_max, v_max);
    encode_block<Lookup>(m_map, m, m_max, m_code, run.m_absmax + block, length);
    encode_block<Lookup>(v_map, v, v_max, v_code, run.v_absmax + block, length);
  }
}

template <class Lookup>
void quantize_loop(const Codebook& map, const float* x, u8* code, float* absmax, std::int64_t n,
                   std::int64_t block_size) {
  for (std::int64_t begin = 0, block = 0; begin < n; begin += block_size, ++block) {
    const std::int64_t length = n - begin < block_size ? n - begin : block_size;
    u32 maximum = 0;
    for (std::int64_t i = begin; i < begin + length; ++i) {
      const u32 bits = magnitude_bits(x[i]);
      maximum = bits > maximum ? bits : maximum;
    }
    encode_block<Lookup>(map, x + begin, maximum, code + begin, absmax + block, length);
  }
}

template <class Lookup>
void dequantize_loop(const Codebook& map, const u8* code, const float* absmax, float* x,
                     std::int64_t n, std::int64_t block_size) {
  for (std::int64_t begin = 0, block = 0; begin < n; begin += block_size, ++block) {
    const std::int64_t length = n - begin < block_size ? n - begin : block_size;
    Lookup::decode(map, code + begin, absmax[block], x + begin, length);
  }
}

void stream_float32_loop(const float* __restrict g, float* __restrict p, float* __restrict m,
                         float* __restrict v, std::int64_t n) {
  for_each_streamed(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) m[i] += g[i];
    for (std::int64_t i = begin; i < end; ++i) v[i] += g[i];
    for (std::int64_t i = begin; i < end; ++i) p[i] += g[i];
  });
}

void stream_8bit_loop(const float* __restrict g, float* __restrict p, u8* __restrict m_code,
                      u8* __restrict v_code, std::int64_t n) {
  for_each_streamed(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) p[i] += g[i];
    for (std::int64_t i = begin; i < end; ++i) m_code[i] = static_cast<u8>(m_code[i] + 1);
    for (std::int64_t i = begin; i < end; ++i) v_code[i] = static_cast<u8>(v_code[i] + 3);
  });
}

void bfloat16_encode_loop(const float* __restrict x, u16* __restrict code, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) code[i] = bfloat16_from_float(x[i]);
}

void bfloat16_decode_loop(const u16* __restrict code, float* __restrict x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = bfloat16_to_float(code[i]);
}

template <class Lookup>
constexpr Kernels kernels_with(const char* name) {
  return {name,
          adamw_float32_loop,
          adamw_bfloat16_loop,
          adamw_8bit_loop<Lookup>,
          quantize_loop<Lookup>,
          dequantize_loop<Lookup>,
          stream_float32_loop,
          stream_8bit_loop,
          bfloat16_encode_loop,
          bfloat16_decode_loop};
}

}  // namespace
}  // namespace truestep::cpu
