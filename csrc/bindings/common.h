// What the parts of truestep.fast._core have in common.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>

#include "../cpu/storage.h"

namespace truestep::bindings {

template <class T>
using Vector = nanobind::ndarray<T, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

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

// A storage and what it is told.
struct Storage {
  cpu::Kept kept;
};

// Storages, their facts, encoding and decoding.
void bind_storages(nanobind::module_& module);

}  // namespace truestep::bindings
