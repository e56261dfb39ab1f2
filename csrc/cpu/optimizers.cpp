#include "optimizers.h"

#include <algorithm>
#include <vector>

#include "../rules/rule.h"
#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {
namespace {

// Elements that stay in the first-level cache while one array after another is read and written,
// and of tensors that are kept as codes, beside their numbers; more where a block is longer.
constexpr std::int64_t kTile = 512;
constexpr std::int64_t kCodedTile = 256;
constexpr int kLine = 64;

const RuleKernel* kernel_in(const RuleTable& table, int kernel) {
  for (int i = 0; i < table.count && kernel >= 0; ++i) {
    const RuleKernels& rule = *table.rules[i];
    if (kernel < rule.count) return rule.first + kernel;
    kernel -= rule.count;
  }
  return nullptr;
}

// One operand of a tile as numbers: where it lies, or a copy that is stored again.
class Tile {
 public:
  Tile() = default;
  Tile(const StorageKernel* storages, const Operand& operand, std::int64_t tensor, float* room)
      : kept_(&operand.kept),
        storage_(storages + operand.kept.storage),
        codes_{element<u8>(operand.code[tensor], 0), element<u8>(operand.scale[tensor], 0), tensor},
        room_(room) {}

  float* load(std::int64_t begin, std::int64_t n) const {
    if (storage_->in_place) return static_cast<float*>(codes_.code) + begin;
    storage_->load(*kept_, codes_, begin, n, room_);
    return room_;
  }

  void store(std::int64_t begin, std::int64_t n) const {
    if (!storage_->in_place) storage_->store(*kept_, codes_, begin, n, room_);
  }

 private:
  const Kept* kept_ = nullptr;
  const StorageKernel* storage_ = nullptr;
  Codes codes_ = {};
  float* room_ = nullptr;
};

struct Names {
  int inputs, tensors;
};

Names names_of(const RuleKernel& rule) {
  const int inputs = names_in(rule.inputs);
  return {inputs, inputs + names_in(rule.states)};
}

// The constants of one row, whatever the rule.
struct alignas(double) Constants {
  unsigned char bytes[kMaxConstants];
};

// Whether every operand lies in memory as the numbers that it stands for.
bool in_place(const Call& call, const Names& names) {
  const StorageKernel* storages = kernels().storages;
  bool all = storages[call.p.kept.storage].in_place && storages[call.g.kept.storage].in_place;
  for (int k = 0; k < names.tensors; ++k) {
    all = all && storages[call.tensors[k].kept.storage].in_place;
  }
  return all;
}

std::int64_t tile_length(const Call& call, const Names& names) {
  if (in_place(call, names)) return kTile;
  std::int64_t length = std::max({kCodedTile, call.p.kept.block_size, call.g.kept.block_size});
  for (int k = 0; k < names.tensors; ++k) {
    length = std::max(length, call.tensors[k].kept.block_size);
  }
  return length;
}

// Calls use(tiles' begin, n, g, p, tensors) for every tile of a piece, and stores what it leaves if
// it is to.
template <bool stored, class Use>
void for_each_tile(const Call& call, const Names& names, const Piece& piece, Use use) {
  const StorageKernel* storages = kernels().storages;
  const std::int64_t length = tile_length(call, names);
  alignas(kLine) static thread_local float room[(kMaxTensors + 2) * kMaxBlock];
  const auto tile_of = [&](const Operand& operand, int place) {
    return Tile(storages, operand, piece.tensor, room + place * length);
  };
  const Tile p = tile_of(call.p, 0), g = tile_of(call.g, 1);
  Tile others[kMaxTensors];
  for (int k = 0; k < names.tensors; ++k) others[k] = tile_of(call.tensors[k], 2 + k);
  float* tensors[kMaxTensors] = {};
  for (std::int64_t begin = piece.begin; begin < piece.end; begin += length) {
    const std::int64_t n = std::min(length, piece.end - begin);
    for (int k = 0; k < names.tensors; ++k) tensors[k] = others[k].load(begin, n);
    const float* gradient = g.load(begin, n);
    float* parameter = p.load(begin, n);
    use(begin, n, gradient, parameter, tensors);
    if (!stored) continue;
    p.store(begin, n);
    for (int k = names.inputs; k < names.tensors; ++k) others[k].store(begin, n);
  }
}

// What every chunk of a tensor adds to its sums: chunks are added one after another, so that a
// tensor's sums follow from its size alone.
class Sums {
 public:
  Sums(const Call& call, const RuleKernel& rule) : count_(rule.sums) {
    std::int64_t chunks = 0;
    for (std::int64_t i = 0; i < call.count; ++i) {
      starts_.push_back(chunks);
      chunks += (call.sizes[i] + kGranule - 1) / kGranule;
    }
    starts_.push_back(chunks);
    chunks_.resize(static_cast<std::size_t>(chunks * count_));
  }

  double* chunk(std::int64_t tensor, std::int64_t begin) {
    return chunks_.data() + (starts_[tensor] + begin / kGranule) * count_;
  }

  void total(std::int64_t tensor, double* sums) const {
    std::fill_n(sums, count_, 0.0);
    for (std::int64_t i = starts_[tensor]; i < starts_[tensor + 1]; ++i) {
      for (int k = 0; k < count_; ++k) sums[k] += chunks_[i * count_ + k];
    }
  }

 private:
  int count_;
  std::vector<std::int64_t> starts_;
  std::vector<double> chunks_;
};

}  // namespace

const RuleKernel* rule_kernel(int kernel) { return kernel_in(*kernels().rules, kernel); }

void step(const Call& call, int threads) {
  const IeeeEnvironment environment;
  const RuleKernel& rule = *rule_kernel(call.kernel);
  const Names names = names_of(rule);
  const int hyper_count = names_in(rule.hyper), number_count = names_in(rule.numbers);
  const Partition partition(call.sizes, call.count, kGranule);
  // A row of constants for each row of hyperparameters, or of each tensor where it has its own.
  const std::int64_t count = rule.finish ? call.count : call.row_count;
  std::vector<Constants> constants(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = rule.finish ? call.rows[i] : i;
    const double* hyper = call.hyper + row * hyper_count;
    rule.constants(hyper, call.steps[row], constants[i].bytes);
    if (rule.begin) {
      rule.begin(hyper, call.steps[row], call.numbers + i * number_count, constants[i].bytes);
    }
  }
  const auto constants_of = [&](std::int64_t tensor) {
    return constants[rule.finish ? tensor : call.rows[tensor]].bytes;
  };
  if (rule.finish) {
    Sums sums(call, rule);
    if (rule.sums > 0) {
      for_each_piece(partition, threads, [&](const Piece& piece) {
        const void* c = constants_of(piece.tensor);
        for_each_tile<false>(call, names, piece,
                             [&](std::int64_t begin, std::int64_t n, const float* g, float* p,
                                 float* const* tensors) {
                               rule.add(c, g, p, tensors, n, sums.chunk(piece.tensor, begin));
                             });
      });
    }
    for (std::int64_t i = 0; i < call.count; ++i) {
      double total[kMaxSums];
      sums.total(i, total);
      const std::int64_t row = call.rows[i];
      rule.finish(call.hyper + row * hyper_count, call.steps[row],
                  static_cast<double>(call.sizes[i]), total, call.numbers + i * number_count,
                  constants[i].bytes);
    }
  }
  const auto run = in_place(call, names) ? rule.step_in_place : rule.step;
  for_each_piece(partition, threads, [&](const Piece& piece) {
    const void* c = constants_of(piece.tensor);
    for_each_tile<true>(call, names, piece,
                        [&](std::int64_t, std::int64_t n, const float* g, float* p,
                            float* const* tensors) { run(c, g, p, tensors, n); });
  });
}

void stream(const Call& call, int threads) {
  const Kernels& set = kernels();
  const Names names = names_of(*rule_kernel(call.kernel));
  const Partition partition(call.sizes, call.count, kGranule);
  for_each_piece(partition, threads, [&](const Piece& piece) {
    for (std::int64_t begin = piece.begin; begin < piece.end; begin += kTile) {
      const std::int64_t n = std::min(kTile, piece.end - begin);
      const auto go = [&](const Operand& operand) {
        const StorageKernel& storage = set.storages[operand.kept.storage];
        // A gradient of another format is shorter than these numbers.
        if (storage.in_place && set.storages[call.g.kept.storage].in_place) {
          set.stream_floats(element<const float>(call.g.code[piece.tensor], begin),
                            element<float>(operand.code[piece.tensor], begin), n);
        } else {
          const std::int64_t first = begin * storage.code_bits / 8;
          set.stream_bytes(element<u8>(operand.code[piece.tensor], first),
                           (n * storage.code_bits + 7) / 8);
        }
      };
      for (int k = names.inputs; k < names.tensors; ++k) go(call.tensors[k]);
      go(call.p);
    }
  });
}

}  // namespace truestep::cpu
