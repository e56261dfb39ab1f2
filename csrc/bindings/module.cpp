// truestep.fast._core: the C++ kernels, seen from Python. Tensors are passed as tables of
// addresses; truestep.fast.ours.cpu_plans owns the arrays behind them and checks types, shapes and
// contiguity.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "../cpu/dispatch.h"
#include "../cpu/optimizers.h"
#include "../cpu/partition.h"
#include "common.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

namespace cpu = truestep::cpu;
using namespace truestep::bindings;

const cpu::RuleKernel& rule_kernel(int kernel) {
  const cpu::RuleKernel* found = cpu::rule_kernel(kernel);
  if (found == nullptr) fail("there is no kernel ", kernel);
  return *found;
}

// (rule, dialect, type, hyper, states, inputs, numbers, sums) of every kernel.
using Names = std::tuple<std::string, std::string, std::string, std::string, std::string,
                         std::string, std::string, int>;

std::vector<Names> rule_kernels() {
  std::vector<Names> names;
  while (const cpu::RuleKernel* k = cpu::rule_kernel(static_cast<int>(names.size()))) {
    names.emplace_back(k->rule, k->dialect, k->type, k->hyper, k->states, k->inputs, k->numbers,
                       k->sums);
  }
  return names;
}

void require_addresses(const Storage& storage, const AddressRows& addresses, std::size_t row,
                       const Table& sizes) {
  const std::size_t rows = storage.kept.block_size > 1 ? 2 : 1;
  const std::int64_t alignment = storage.kept.storage == 0 ? sizeof(float) : 1;
  for (std::size_t k = row; k < row + rows; ++k) {
    for (std::size_t i = 0; i < sizes.shape(0); ++i) {
      const std::int64_t address = addresses.data()[k * sizes.shape(0) + i];
      if (sizes.data()[i] > 0 && (address == 0 || address % alignment != 0)) {
        fail("addresses[", k, "][", i, "] must be a multiple of ", alignment, " and not zero, got ",
             address);
      }
    }
  }
}

// addresses: two rows for each of p, g, the inputs and the states: of its codes and of its scales.
template <decltype(cpu::step)* kStep>
void step(int kernel, const std::vector<const Storage*>& storages, AddressRows addresses,
          Table sizes, Indices rows, Doubles hyper, Vector<const double> steps, Doubles numbers,
          int threads) {
  const cpu::RuleKernel& rule = rule_kernel(kernel);
  const std::size_t tensors = names_in(rule.inputs) + names_in(rule.states);
  require_sizes(sizes);
  require_count("storages", storages.size(), 2 + tensors);
  require_count("addresses", addresses.shape(0), 2 * storages.size());
  require_count("addresses[0]", addresses.shape(1), sizes.shape(0));
  require_rows(rows, sizes.shape(0), steps);
  require_count("hyper", hyper.shape(0), steps.shape(0));
  require_count("hyper[0]", hyper.shape(1), names_in(rule.hyper));
  require_count("numbers", numbers.shape(0), sizes.shape(0));
  require_count("numbers[0]", numbers.shape(1), names_in(rule.numbers));
  require_threads(threads);
  for (std::size_t k = 0; k < storages.size(); ++k) {
    require_addresses(*storages[k], addresses, 2 * k, sizes);
  }
  cpu::Call call{};
  call.kernel = kernel;
  call.count = static_cast<std::int64_t>(sizes.shape(0));
  call.sizes = sizes.data();
  call.rows = rows.data();
  call.row_count = static_cast<std::int64_t>(steps.shape(0));
  call.hyper = hyper.data();
  call.steps = steps.data();
  call.numbers = numbers.data();
  for (std::size_t k = 0; k < storages.size(); ++k) {
    const std::int64_t* code = addresses.data() + 2 * k * sizes.shape(0);
    cpu::Operand& operand = k == 0 ? call.p : k == 1 ? call.g : call.tensors[k - 2];
    operand = {storages[k]->kept, code, code + sizes.shape(0)};
  }
  const nb::gil_scoped_release unlocked;
  kStep(call, threads);
}

using Run = std::tuple<std::int64_t, std::int64_t, std::int64_t>;

std::vector<Run> pieces(Table sizes, std::int64_t granule, std::int64_t part, std::int64_t parts) {
  require_sizes(sizes);
  if (granule < 1) fail("granule must be >= 1, got ", granule);
  if (part < 0 || part >= parts) fail("part must lie in [0, ", parts, "), got ", part);
  const cpu::Partition partition(sizes.data(), static_cast<std::int64_t>(sizes.shape(0)), granule);
  std::vector<Run> result;
  partition.for_each_piece(part, parts, [&](const cpu::Piece& piece) {
    result.emplace_back(piece.tensor, piece.begin, piece.end);
  });
  return result;
}

void set_instruction_set(const std::string& name) {
  if (cpu::set_instruction_set(name)) return;
  std::string known;
  for (const std::string& set : cpu::instruction_sets()) known += (known.empty() ? "" : ", ") + set;
  fail("instruction set must be one of ", known, "; got '", name, "'");
}

}  // namespace

NB_MODULE(_core, module) {
  // Tables of storages live as long as the process, whoever else holds on to modules at its end.
  nb::set_leak_warnings(false);
  module.doc() = "TrueStep's C++ kernels; truestep.fast.ours.cpu_plans is the interface to use.";
  module.def("instruction_sets", &cpu::instruction_sets,
             "Names of the instruction sets this processor can run, narrowest first.");
  module.def(
      "instruction_set", [] { return std::string(cpu::kernels().name); },
      "The instruction set that the kernels use.");
  module.def("set_instruction_set", &set_instruction_set, "name"_a,
             "Use the named instruction set from now on, in every thread.");
  module.def("pieces", &pieces, "sizes"_a, "granule"_a, "part"_a, "parts"_a,
             "The (tensor, begin, end) runs of one part of a list of tensors.");

  bind_storages(module);
  bind_factored(module);
  bind_loop(module);
  module.def("rule_kernels", &rule_kernels,
             "(rule, dialect, type, hyper, states, inputs, numbers, sums) of every kernel.");
  const auto def_step = [&](const char* name, auto* step, const char* text) {
    module.def(name, step, "kernel"_a, "storages"_a, "addresses"_a, "sizes"_a, "rows"_a, "hyper"_a,
               "steps"_a, "numbers"_a, "threads"_a = 0, text);
  };
  def_step("step", &step<cpu::step>, "One step in place on tensors given by address.");
  def_step("stream", &step<cpu::stream>, "The memory traffic of a step: it spoils the tensors.");
}
