// How a list of tensors is cut into parts of nearly equal length: pure functions of int64 sizes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace truestep::cpu {

// A contiguous run of one tensor.
struct Piece {
  std::int64_t tensor, begin, end;
};

// The concatenation of tensors of the given sizes, cut into parts. Cuts fall on multiples of
// granule elements within a tensor, or on its end, so no quantization block is shared between
// parts.
class Partition {
 public:
  Partition(const std::int64_t* sizes, std::int64_t count, std::int64_t granule)
      : granule_(granule), starts_(static_cast<std::size_t>(count) + 1, 0) {
    for (std::int64_t i = 0; i < count; ++i) starts_[i + 1] = starts_[i] + sizes[i];
  }

  std::int64_t total() const { return starts_.back(); }

  // Calls use(piece) for every non-empty piece of part (0 <= part < parts), in order.
  template <class Use>
  void for_each_piece(std::int64_t part, std::int64_t parts, Use use) const {
    const std::int64_t low = cut(part, parts), high = cut(part + 1, parts);
    if (low == high) return;
    // The last tensor that starts at or before low; empty tensors in front of it own nothing.
    const auto after = std::upper_bound(starts_.begin(), starts_.end() - 1, low);
    for (std::int64_t i = (after - starts_.begin()) - 1; i + 1 < std::int64_t(starts_.size());
         ++i) {
      if (starts_[i] >= high) break;
      const Piece piece{i, local(i, low), local(i, high)};
      if (piece.begin < piece.end) use(piece);
    }
  }

 private:
  // floor(total * part / parts) without the product that could leave int64.
  std::int64_t cut(std::int64_t part, std::int64_t parts) const {
    return total() / parts * part + total() % parts * part / parts;
  }

  std::int64_t local(std::int64_t i, std::int64_t position) const {
    const std::int64_t size = starts_[i + 1] - starts_[i];
    const std::int64_t offset = position - starts_[i];
    if (offset <= 0) return 0;
    if (offset >= size) return size;
    return std::min(size, (offset + granule_ - 1) / granule_ * granule_);
  }

  std::int64_t granule_;
  std::vector<std::int64_t> starts_;
};

}  // namespace truestep::cpu
