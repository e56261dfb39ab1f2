#include "optimizers.h"

#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {
namespace {

template <class Parameter, class Loop>
void step(const TensorList& list, const AdamWAddresses& addresses, int threads, Loop loop) {
  const Partition partition(list.sizes, list.count, kGranule);
  for_each_piece(partition, threads, [&](const Piece& piece) {
    const std::int64_t i = piece.tensor, begin = piece.begin;
    loop(list.constants[list.constant_index[i]], element<const Parameter>(addresses.g[i], begin),
         element<Parameter>(addresses.p[i], begin), element<float>(addresses.m[i], begin),
         element<float>(addresses.v[i], begin), piece.end - begin);
  });
}

template <class Loop>
void step_8bit(const TensorList& list, const AdamW8bitAddresses& addresses, std::int64_t block_size,
               int threads, Loop loop) {
  const Partition partition(list.sizes, list.count, kGranule);
  for_each_piece(partition, threads, [&](const Piece& piece) {
    const std::int64_t i = piece.tensor, begin = piece.begin, block = begin / block_size;
    const AdamW8bitRun run{
        element<const float>(addresses.g[i], begin), element<float>(addresses.p[i], begin),
        element<u8>(addresses.m_code[i], begin),     element<float>(addresses.m_absmax[i], block),
        element<u8>(addresses.v_code[i], begin),     element<float>(addresses.v_absmax[i], block)};
    loop(list.constants[list.constant_index[i]], run, piece.end - begin);
  });
}

}  // namespace

AdamWConstants constants_of(const AdamWHyper& hyper, double t) { return adamw_constants(hyper, t); }

void adamw_float32(const TensorList& list, const AdamWAddresses& addresses, int threads) {
  step<float>(list, addresses, threads, kernels().adamw_float32);
}

void adamw_bfloat16(const TensorList& list, const AdamWAddresses& addresses, int threads) {
  step<u16>(list, addresses, threads, kernels().adamw_bfloat16);
}

void adamw_8bit(const TensorList& list, const AdamW8bitAddresses& addresses, const Codebook& m_map,
                const Codebook& v_map, std::int64_t block_size, int threads) {
  const auto loop = kernels().adamw_8bit;
  step_8bit(list, addresses, block_size, threads,
            [&, loop](const AdamWConstants& c, const AdamW8bitRun& run, std::int64_t n) {
              loop(c, m_map, v_map, run, n, block_size);
            });
}

void stream_float32(const TensorList& list, const AdamWAddresses& addresses, int threads) {
  const auto loop = kernels().stream_float32;
  step<float>(list, addresses, threads,
              [loop](const AdamWConstants&, const float* g, float* p, float* m, float* v,
                     std::int64_t n) { loop(g, p, m, v, n); });
}

void stream_8bit(const TensorList& list, const AdamW8bitAddresses& addresses, const Codebook&,
                 const Codebook&, std::int64_t block_size, int threads) {
  const auto loop = kernels().stream_8bit;
  step_8bit(list, addresses, block_size, threads,
            [loop](const AdamWConstants&, const AdamW8bitRun& run, std::int64_t n) {
              loop(run.g, run.p, run.m_code, run.v_code, n);
            });
}

}  // namespace truestep::cpu
