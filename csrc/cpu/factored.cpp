#include "factored.h"

#include <algorithm>
#include <vector>

#include "dispatch.h"
#include "parallel.h"

namespace truestep::cpu {
namespace {

// Elements of a tile: columns up to a granule, and rows until there are so many.
constexpr std::int64_t kTileSize = 65536;

// The constants of one tensor, whatever the rule.
struct alignas(double) Constants {
  unsigned char bytes[kMaxConstants];
};

// A part of one matrix of one tensor, and its place among the matrix's tiles.
struct Tile {
  std::int64_t tensor, matrix, place;
  std::int64_t row_place, column_place;
  std::int64_t row, rows, column, columns;
};

// What a tensor has for the time of a step. Sums are kept by tile and added tile after tile, so
// that they follow from the shape alone.
struct Work {
  std::int64_t tile_rows, tile_columns;  // a tile's
  std::int64_t down, across;             // tiles of a matrix
  std::vector<float> row_factor, column_factor;
  std::vector<double> row_sum, column_sum, total;
  Constants constants;
};

std::int64_t parts_of(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

std::int64_t size_of(const View& view) { return view.leading * view.rows * view.columns; }

// A copy of the first states, which are the factors to begin with.
std::vector<float> factors_of(const std::int64_t* states, std::int64_t tensor, std::int64_t count) {
  const float* first = element<const float>(states[tensor], 0);
  return {first, first + count};
}

class Step {
 public:
  Step(const FactoredCall& call, int threads)
      : call_(call),
        rule_(*factored_kernel(call.kernel)),
        threads_(threads),
        states_(names_in(rule_.states)),
        works_(static_cast<std::size_t>(call.count)) {
    for (std::int64_t i = 0; i < call.count; ++i) {
      if (size_of(call.views[i]) > 0) prepare(i);
    }
    for (const Tile& tile : tiles_) sizes_.push_back(tile.rows * tile.columns);
  }

  void go() {
    // A cut within a tile falls on its end.
    const Partition partition(sizes_.data(), static_cast<std::int64_t>(sizes_.size()),
                              kTileSize + kGranule);
    for (int pass = 0; pass < rule_.passes; ++pass) {
      for (std::int64_t i = 0; i < call_.count; ++i) clear(pass, i);
      for_each_piece(partition, threads_,
                     [&](const Piece& piece) { run(pass, tiles_[piece.tensor]); });
      for (std::int64_t i = 0; i < call_.count; ++i) {
        if (size_of(call_.views[i]) > 0) finish(pass, i);
      }
    }
  }

 private:
  void prepare(std::int64_t tensor) {
    const View& view = call_.views[tensor];
    Work& work = works_[tensor];
    work.tile_columns = std::min(view.columns, kGranule);
    work.tile_rows = std::clamp<std::int64_t>(kTileSize / work.tile_columns, 1, view.rows);
    work.down = parts_of(view.rows, work.tile_rows);
    work.across = parts_of(view.columns, work.tile_columns);
    work.row_factor = factors_of(call_.row_states[0], tensor, view.leading * view.rows);
    work.column_factor = factors_of(call_.column_states[0], tensor, view.leading * view.columns);
    const std::int64_t row = call_.rows[tensor];
    rule_.constants(call_.hyper + row * names_in(rule_.hyper), call_.steps[row],
                    work.constants.bytes);
    std::int64_t place = 0;
    for (std::int64_t matrix = 0; matrix < view.leading; ++matrix) {
      for (std::int64_t i = 0; i < work.down; ++i) {
        for (std::int64_t j = 0; j < work.across; ++j) {
          const std::int64_t first = i * work.tile_rows, left = j * work.tile_columns;
          tiles_.push_back({tensor, matrix, place++, i, j, first,
                            std::min(work.tile_rows, view.rows - first), left,
                            std::min(work.tile_columns, view.columns - left)});
        }
      }
    }
  }

  bool wants_columns(int pass, const View& view) const {
    const Pass& what = rule_.pass[pass].what;
    return what.columns || (what.rows && view.vector);
  }

  void clear(int pass, std::int64_t tensor) {
    const View& view = call_.views[tensor];
    const Pass& what = rule_.pass[pass].what;
    if (size_of(view) == 0) return;
    Work& work = works_[tensor];
    const std::int64_t tiles = view.leading * work.down * work.across;
    work.row_sum.assign(what.rows ? view.leading * view.rows * work.across : 0, 0.0);
    work.column_sum.assign(wants_columns(pass, view) ? view.leading * view.columns * work.down : 0,
                           0.0);
    work.total.assign(what.totals * tiles, 0.0);
  }

  void run(int pass, const Tile& tile) {
    const FactoredPass& kernel = rule_.pass[pass];
    const View& view = call_.views[tile.tensor];
    Work& work = works_[tile.tensor];
    const StorageKernel* storages = kernels().storages;
    static thread_local float room[(kMaxTensors + 2) * kGranule];
    const auto load = [&](const Operand& operand, std::int64_t begin, int place) {
      const StorageKernel& storage = storages[operand.kept.storage];
      if (storage.in_place) return element<float>(operand.code[tile.tensor], begin);
      storage.load(operand.kept, codes_of(operand, tile.tensor), begin, tile.columns,
                   room + place * kGranule);
      return room + place * kGranule;
    };
    const auto store = [&](const Operand& operand, std::int64_t begin, const float* x) {
      const StorageKernel& storage = storages[operand.kept.storage];
      if (storage.in_place) return;
      storage.store(operand.kept, codes_of(operand, tile.tensor), begin, tile.columns, x);
    };
    const std::int64_t matrix_row = tile.matrix * view.rows + tile.row;
    const std::int64_t matrix_column = tile.matrix * view.columns + tile.column;
    double* row_sum =
        work.row_sum.empty()
            ? nullptr
            : work.row_sum.data() + tile.column_place * view.leading * view.rows + matrix_row;
    double* column_sum =
        work.column_sum.empty()
            ? nullptr
            : work.column_sum.data() + tile.row_place * view.leading * view.columns + matrix_column;
    for (std::int64_t i = 0; i < tile.rows; ++i) {
      const std::int64_t begin = (matrix_row + i) * view.columns + tile.column;
      float* states[kMaxTensors] = {};
      for (int k = 0; k < states_; ++k) states[k] = load(call_.states[k], begin, 2 + k);
      float* p = load(call_.p, begin, 0);
      kernel.run(
          work.constants.bytes,
          {tile.columns, work.row_factor[matrix_row + i], work.column_factor.data() + matrix_column,
           load(call_.g, begin, 1), p, states, row_sum ? row_sum + i : nullptr, column_sum,
           work.total.data() + tile.place * kernel.what.totals});
      if (!kernel.what.writes) continue;
      store(call_.p, begin, p);
      for (int k = 0; k < states_; ++k) store(call_.states[k], begin, states[k]);
    }
  }

  static Codes codes_of(const Operand& operand, std::int64_t tensor) {
    return {reinterpret_cast<void*>(operand.code[tensor]),
            reinterpret_cast<void*>(operand.scale[tensor]), tensor};
  }

  // The states of lines, then their factors, of every matrix; rows first, whose means count.
  void finish(int pass, std::int64_t tensor) {
    const FactoredPass& kernel = rule_.pass[pass];
    const View& view = call_.views[tensor];
    Work& work = works_[tensor];
    const int sides = names_in(rule_.rows);
    if (kernel.what.rows || kernel.what.columns) {
      fold(kernel.what.largest, work.row_sum, view.leading * view.rows);
      fold(kernel.what.largest, work.column_sum, view.leading * view.columns);
      for (std::int64_t matrix = 0; matrix < view.leading; ++matrix) {
        double mean[kMaxSides] = {};
        Sides rows{Line::kRow,
                   view.rows,
                   {},
                   nullptr,
                   static_cast<double>(view.columns),
                   mean,
                   work.row_factor.data() + matrix * view.rows};
        Sides columns{view.vector ? Line::kVector : Line::kColumn,
                      view.columns,
                      {},
                      nullptr,
                      static_cast<double>(view.rows),
                      mean,
                      work.column_factor.data() + matrix * view.columns};
        for (int k = 0; k < sides; ++k) {
          rows.state[k] = element<float>(call_.row_states[k][tensor], matrix * view.rows);
          columns.state[k] = element<float>(call_.column_states[k][tensor], matrix * view.columns);
        }
        if (!view.vector) {
          rows.sum = work.row_sum.data() + matrix * view.rows;
          kernel.sides(work.constants.bytes, rows);
          for (int k = 0; k < sides; ++k) mean[k] = mean_of(rows.state[k], view.rows);
          kernel.factors(work.constants.bytes, rows);
        }
        if (!work.column_sum.empty()) {
          columns.sum = work.column_sum.data() + matrix * view.columns;
          kernel.sides(work.constants.bytes, columns);
        }
        kernel.factors(work.constants.bytes, columns);
      }
    }
    double total[kMaxTotals] = {};
    for (std::size_t i = 0; i < work.total.size(); ++i) {
      total[i % kernel.what.totals] += work.total[i];
    }
    const std::int64_t row = call_.rows[tensor];
    kernel.finish(call_.hyper + row * names_in(rule_.hyper), call_.steps[row],
                  static_cast<double>(size_of(view)), total, work.constants.bytes);
  }

  // Joins what all tiles gave for each of count lines into the first one's place.
  static void fold(bool largest, std::vector<double>& sums, std::int64_t count) {
    for (std::size_t i = static_cast<std::size_t>(count); i < sums.size(); ++i) {
      double& sum = sums[i % count];
      sum = largest ? larger(sum, sums[i]) : sum + sums[i];
    }
  }

  static double mean_of(const float* x, std::int64_t n) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
    return sum / static_cast<double>(n);
  }

  const FactoredCall& call_;
  const FactoredKernel& rule_;
  int threads_;
  int states_;
  std::vector<Work> works_;
  std::vector<Tile> tiles_;
  std::vector<std::int64_t> sizes_;
};

}  // namespace

const FactoredKernel* factored_kernel(int kernel) {
  const RuleTable& table = *kernels().rules;
  for (int i = 0; i < table.factored_count && kernel >= 0; ++i) {
    const FactoredKernels& rule = *table.factored[i];
    if (kernel < rule.count) return rule.first + kernel;
    kernel -= rule.count;
  }
  return nullptr;
}

void factored_step(const FactoredCall& call, int threads) {
  const IeeeEnvironment environment;
  Step(call, threads).go();
}

}  // namespace truestep::cpu
