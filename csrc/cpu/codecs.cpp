#include "codecs.h"

#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {

const char* storage_name(int storage) {
  return storage < kStorages ? kernels().storages[storage].name : nullptr;
}

void encode(const Kept& kept, const float* x, const Codes& codes, std::int64_t n, int threads) {
  const StorageKernel& storage = kernels().storages[kept.storage];
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    storage.store(kept, codes, piece.begin, piece.end - piece.begin, x + piece.begin);
  });
}

void decode(const Kept& kept, const Codes& codes, float* x, std::int64_t n, int threads) {
  const StorageKernel& storage = kernels().storages[kept.storage];
  for_each_piece(Partition(&n, 1, kGranule), threads, [&](const Piece& piece) {
    storage.load(kept, codes, piece.begin, piece.end - piece.begin, x + piece.begin);
  });
}

}  // namespace truestep::cpu
