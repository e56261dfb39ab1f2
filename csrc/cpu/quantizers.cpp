#include "quantizers.h"

#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {

void bfloat16_encode(const float* x, u16* code, std::int64_t n, int threads) {
  const auto loop = kernels().bfloat16_encode;
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    loop(x + piece.begin, code + piece.begin, piece.end - piece.begin);
  });
}

void bfloat16_decode(const u16* code, float* x, std::int64_t n, int threads) {
  const auto loop = kernels().bfloat16_decode;
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    loop(code + piece.begin, x + piece.begin, piece.end - piece.begin);
  });
}

void quantize(const Codebook& map, const float* x, u8* code, float* absmax, std::int64_t n,
              std::int64_t block_size, int threads) {
  const auto loop = kernels().quantize;
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    loop(map, x + piece.begin, code + piece.begin, absmax + piece.begin / block_size,
         piece.end - piece.begin, block_size);
  });
}

void dequantize(const Codebook& map, const u8* code, const float* absmax, float* x, std::int64_t n,
                std::int64_t block_size, int threads) {
  const auto loop = kernels().dequantize;
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    loop(map, code + piece.begin, absmax + piece.begin / block_size, x + piece.begin,
         piece.end - piece.begin, block_size);
  });
}

}  // namespace truestep::cpu
