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
  const Partition partition(list.sizes, list.count, kGranule);
  const auto loop = kernels().adamw_8bit;
  for_each_piece(partition, threads, [&](const Piece& piece) {
    const std::int64_t i = piece.tensor, begin = piece.begin, block = begin / block_size;
    const AdamW8bitRun run{element<const float>(addresses.g[i], begin),
                           element<float>(addresses.p[i], begin),
                           element<u8>(addresses.m_code[i], begin),
                           element<float>(addresses.m_absmax[i], block),
                           element<u8>(addresses.v_code[i], begin),
                           element<float>(addresses.v_absmax[i], block)};
    loop(list.constants[list.constant_index[i]], m_map, v_map, run, piece.end - begin, block_size);
  });
}

}  // namespace truestep::cpu
