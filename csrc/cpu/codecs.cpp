#include "codecs.h"

#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {
namespace {

// Calls use(begin, end) for runs of groups, from several threads.
template <class Use>
void for_each_run(const Grouping& grouping, std::int64_t groups, int threads, Use use) {
  const std::int64_t length = grouping.down * grouping.across, n = groups * length;
  for_each_piece(Partition(&n, 1, length), threads,
                 [&](const Piece& piece) { use(piece.begin / length, piece.end / length); });
}

const GroupKernel& kernel_of(const Kept& kept) {
  return kept.affine != nullptr ? kernels().affine : kernels().groups;
}

}  // namespace

const StorageKernel* storage_kernel(int storage) {
  return storage < kStorages ? kernels().storages + storage : nullptr;
}

std::int64_t code_bytes(const Kept& kept, std::int64_t n) {
  return (n * kernels().storages[kept.storage].code_bits + 7) / 8;
}

std::int64_t scale_bytes(const Kept& kept) {
  if (const int rest = kernels().storages[kept.storage].rest_bytes) return rest;
  if (kept.map != nullptr) return 4;
  if (kept.format == nullptr) return 0;
  switch (kept.format->scale) {
    case ScaleKind::kAbsmax:
    case ScaleKind::kFloat32:
      return 4;
    case ScaleKind::kFloat16:
      return 2;
    default:
      return 1;
  }
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

void encode_groups(const Kept& kept, const Grouping& grouping, const float* x, const Codes& codes,
                   std::int64_t groups, int threads) {
  const GroupKernel& kernel = kernel_of(kept);
  for_each_run(grouping, groups, threads, [&](std::int64_t begin, std::int64_t end) {
    kernel.store(kept, grouping, codes, begin, end, x);
  });
}

void decode_groups(const Kept& kept, const Grouping& grouping, const Codes& codes, float* x,
                   std::int64_t groups, int threads) {
  const GroupKernel& kernel = kernel_of(kept);
  for_each_run(grouping, groups, threads, [&](std::int64_t begin, std::int64_t end) {
    kernel.load(kept, grouping, codes, begin, end, x);
  });
}

}  // namespace truestep::cpu
