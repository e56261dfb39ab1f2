// What the parts of truestep.fast._core have in common.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>

#include "../cpu/storage.h"
#include "../rules/rule.h"

namespace truestep::bindings {

template <class T>
using Vector = nanobind::ndarray<T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

using Table = Vector<const std::int64_t>;
using Indices = Vector<const std::int32_t>;
using Doubles =
    nanobind::ndarray<double, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;
using AddressRows = nanobind::ndarray<const std::int64_t, nanobind::ndim<2>, nanobind::c_contig,
                                      nanobind::device::cpu>;

template <class... Parts>
[[noreturn]] void fail(const Parts&... message) {
  std::ostringstream text;
  (text << ... << message);
  throw std::invalid_argument(text.str());
}

inline void require_count(const char* name, std::size_t got, std::size_t wanted) {
  if (got != wanted) fail(name, " must have ", wanted, " entries, got ", got);
}

inline void require_threads(int threads) {
  if (threads < 0) fail("threads must be >= 0, got ", threads);
}

inline std::size_t names_in(const char* text) {
  return static_cast<std::size_t>(truestep::names_in(text));
}

inline void require_sizes(const Table& sizes) {
  for (std::size_t i = 0; i < sizes.shape(0); ++i) {
    if (sizes.data()[i] < 0) fail("sizes[", i, "] must be >= 0, got ", sizes.data()[i]);
  }
}

// A row of hyperparameters and a step for each of count tensors.
inline void require_rows(const Indices& rows, std::size_t count,
                         const Vector<const double>& steps) {
  require_count("rows", rows.shape(0), count);
  for (std::size_t i = 0; i < rows.shape(0); ++i) {
    const std::int32_t row = rows.data()[i];
    if (row < 0 || static_cast<std::size_t>(row) >= steps.shape(0)) {
      fail("rows[", i, "] must lie in [0, ", steps.shape(0), "), got ", row);
    }
  }
  for (std::size_t i = 0; i < steps.shape(0); ++i) {
    if (!(steps.data()[i] >= 1)) fail("steps[", i, "] must be >= 1, got ", steps.data()[i]);
  }
}

// A storage and what it is told.
struct Storage {
  cpu::Kept kept;
};

// Storages, their facts, encoding and decoding.
void bind_storages(nanobind::module_& module);

// Rules that keep numbers by row and column.
void bind_factored(nanobind::module_& module);

// The loop around an optimizer: schedules and training pieces.
void bind_loop(nanobind::module_& module);

}  // namespace truestep::bindings
