// Rules that keep numbers by row and column, as Python sees them.
#include "../cpu/factored.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "common.h"

namespace truestep::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

// (rule, dialect, hyper, states, rows, columns, vectors) of every factored kernel.
using FactoredNames = std::tuple<std::string, std::string, std::string, std::string, std::string,
                                 std::string, std::string>;

std::vector<FactoredNames> factored_kernels() {
  std::vector<FactoredNames> names;
  while (const cpu::FactoredKernel* k = cpu::factored_kernel(static_cast<int>(names.size()))) {
    names.emplace_back(k->rule, k->dialect, k->hyper, k->states, k->rows, k->columns, k->vectors);
  }
  return names;
}

// addresses: a row for each of p, g, the states, the rows' states and the columns' states; views: a
// row of four numbers for each tensor.
void factored_step(int kernel, const std::vector<const Storage*>& storages, AddressRows addresses,
                   AddressRows views, Indices rows, Doubles hyper, Vector<const double> steps,
                   int threads) {
  const cpu::FactoredKernel* found = cpu::factored_kernel(kernel);
  if (found == nullptr) fail("there is no kernel ", kernel);
  const std::size_t states = names_in(found->states), sides = names_in(found->rows);
  const std::size_t count = views.shape(0);
  require_count("storages", storages.size(), 2 + states);
  require_count("addresses", addresses.shape(0), 2 + states + 2 * sides);
  require_count("addresses[0]", addresses.shape(1), count);
  require_count("views[0]", views.shape(1), 4);
  require_rows(rows, count, steps);
  require_count("hyper", hyper.shape(0), steps.shape(0));
  require_count("hyper[0]", hyper.shape(1), names_in(found->hyper));
  require_threads(threads);
  cpu::FactoredCall call{};
  call.kernel = kernel;
  call.count = static_cast<std::int64_t>(count);
  call.views = reinterpret_cast<const cpu::View*>(views.data());
  call.rows = rows.data();
  call.hyper = hyper.data();
  call.steps = steps.data();
  const auto row = [&](std::size_t k) { return addresses.data() + k * count; };
  for (std::size_t k = 0; k < storages.size(); ++k) {
    if (storages[k]->kept.block_size != 1) fail("storages[", k, "] must have no blocks");
    cpu::Operand& operand = k == 0 ? call.p : k == 1 ? call.g : call.states[k - 2];
    operand = {storages[k]->kept, row(k), row(k)};
  }
  for (std::size_t k = 0; k < sides; ++k) {
    call.row_states[k] = row(2 + states + k);
    call.column_states[k] = row(2 + states + sides + k);
  }
  const nb::gil_scoped_release unlocked;
  cpu::factored_step(call, threads);
}

}  // namespace

void bind_factored(nb::module_& module) {
  module.def("factored_kernels", &factored_kernels,
             "(rule, dialect, hyper, states, rows, columns, vectors) of every factored kernel.");
  module.def("factored_step", &factored_step, "kernel"_a, "storages"_a, "addresses"_a, "views"_a,
             "rows"_a, "hyper"_a, "steps"_a, "threads"_a = 0,
             "One step of a factored rule in place on tensors given by address.");
}

}  // namespace truestep::bindings
