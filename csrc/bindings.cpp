// truestep.fast._core: the C++ kernels, seen from Python. Tensors are passed as tables of
// addresses; truestep.fast.ours.cpu_plans owns the arrays behind them and checks types, shapes and
// contiguity.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "cpu/codecs.h"
#include "cpu/dispatch.h"
#include "cpu/optimizers.h"
#include "cpu/partition.h"
#include "rules/rule.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using truestep::kCodes;
using truestep::kMaxBlock;
namespace cpu = truestep::cpu;

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = Vector<const std::int64_t>;
using Indices = Vector<const std::int32_t>;
using Doubles = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bytes = Vector<std::uint8_t>;

template <class... Parts>
[[noreturn]] void fail(const Parts&... message) {
  std::ostringstream text;
  (text << ... << message);
  throw std::invalid_argument(text.str());
}

void require_sizes(const Table& sizes) {
  for (std::size_t i = 0; i < sizes.shape(0); ++i) {
    if (sizes.data()[i] < 0) {
      fail("sizes[", i, "] must be >= 0, got ", sizes.data()[i]);
    }
  }
}

void require_count(const char* name, std::size_t got, std::size_t wanted) {
  if (got != wanted) fail(name, " must have ", wanted, " entries, got ", got);
}

void require_threads(int threads) {
  if (threads < 0) fail("threads must be >= 0, got ", threads);
}

// Numbers of a storage: its place in the table, the block size, the map and the seed.
struct Storage {
  cpu::Kept kept;
};

void init_storage(Storage* storage, const std::string& name, std::int64_t block_size,
                  const cpu::Codebook* map, std::uint64_t seed) {
  int place = 0;
  std::string known;
  for (; const char* other = cpu::storage_name(place); ++place) {
    if (name == other) break;
    known += (known.empty() ? "" : ", ") + std::string(other);
  }
  if (cpu::storage_name(place) == nullptr) fail("storage must be one of ", known, "; got ", name);
  const bool power_of_two = (block_size & (block_size - 1)) == 0;
  if (block_size < 1 || block_size > kMaxBlock || !power_of_two) {
    fail("block_size must be a power of two from 1 to ", kMaxBlock, ", got ", block_size);
  }
  new (storage) Storage{{place, block_size, map, seed}};
}

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

std::size_t names_in(const char* text) {
  return static_cast<std::size_t>(truestep::names_in(text));
}

// addresses: two rows for each of p, g, the inputs and the states: of its codes and of its scales.
template <decltype(cpu::step)* kStep>
void step(int kernel, const std::vector<const Storage*>& storages,
          nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> addresses,
          Table sizes, Indices rows, Doubles hyper, Vector<const double> steps, Doubles numbers,
          int threads) {
  const cpu::RuleKernel& rule = rule_kernel(kernel);
  const std::size_t tensors = names_in(rule.inputs) + names_in(rule.states);
  require_sizes(sizes);
  require_count("storages", storages.size(), 2 + tensors);
  require_count("addresses", addresses.shape(0), 2 * storages.size());
  require_count("addresses[0]", addresses.shape(1), sizes.shape(0));
  require_count("rows", rows.shape(0), sizes.shape(0));
  require_count("hyper", hyper.shape(0), steps.shape(0));
  require_count("hyper[0]", hyper.shape(1), names_in(rule.hyper));
  require_count("numbers", numbers.shape(0), sizes.shape(0));
  require_count("numbers[0]", numbers.shape(1), names_in(rule.numbers));
  require_threads(threads);
  for (std::size_t i = 0; i < rows.shape(0); ++i) {
    const std::int32_t row = rows.data()[i];
    if (row < 0 || static_cast<std::size_t>(row) >= steps.shape(0)) {
      fail("rows[", i, "] must lie in [0, ", steps.shape(0), "), got ", row);
    }
  }
  for (std::size_t i = 0; i < steps.shape(0); ++i) {
    if (!(steps.data()[i] >= 1)) fail("steps[", i, "] must be >= 1, got ", steps.data()[i]);
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

// The number of elements, once code and scale fit it.
std::int64_t require_codes(const Storage& storage, std::size_t n, const Bytes& code,
                           const Bytes& scale, int threads) {
  require_threads(threads);
  if (storage.kept.storage == 0) fail("float32 numbers have no codes");
  if (code.shape(0) < n) fail("code must have ", n, " bytes at least, got ", code.shape(0));
  const std::size_t block = static_cast<std::size_t>(storage.kept.block_size);
  if (block > 1 && scale.shape(0) < (n + block - 1) / block) {
    fail("scale must have a number for each of ", (n + block - 1) / block, " blocks, got ",
         scale.shape(0), " bytes");
  }
  return static_cast<std::int64_t>(n);
}

void encode(const Storage& storage, Vector<const float> x, Bytes code, Bytes scale, int threads) {
  const std::int64_t n = require_codes(storage, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::encode(storage.kept, x.data(), {code.data(), scale.data()}, n, threads);
}

void decode(const Storage& storage, Bytes code, Bytes scale, Vector<float> x, int threads) {
  const std::int64_t n = require_codes(storage, x.shape(0), code, scale, threads);
  const nb::gil_scoped_release unlocked;
  cpu::decode(storage.kept, {code.data(), scale.data()}, x.data(), n, threads);
}

void init_codebook(cpu::Codebook* codebook, Vector<const float> values) {
  require_count("values", values.shape(0), kCodes);
  new (codebook) cpu::Codebook;
  if (const char* wrong = cpu::build_codebook(values.data(), *codebook)) fail(wrong);
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

  nb::class_<cpu::Codebook>(module, "DynamicMap", "256 ascending values, prepared for searching.")
      .def("__init__", &init_codebook, "values"_a);
  nb::class_<Storage>(module, "Storage",
                      "How a tensor is kept: the name of a storage, and what it is told.")
      .def("__init__", &init_storage, "name"_a, "block_size"_a = 1, "map"_a.none() = nullptr,
           "seed"_a = 0, nb::keep_alive<1, 4>());
  module.def("encode", &encode, "storage"_a, "x"_a, "code"_a, "scale"_a, "threads"_a = 0,
             "Fill the bytes of code and scale from x.");
  module.def("decode", &decode, "storage"_a, "code"_a, "scale"_a, "x"_a, "threads"_a = 0,
             "Fill x from the bytes of code and scale.");
  module.def("rule_kernels", &rule_kernels,
             "(rule, dialect, type, hyper, states, inputs, numbers, sums) of every kernel.");
  const auto def_step = [&](const char* name, auto* step, const char* text) {
    module.def(name, step, "kernel"_a, "storages"_a, "addresses"_a, "sizes"_a, "rows"_a, "hyper"_a,
               "steps"_a, "numbers"_a, "threads"_a = 0, text);
  };
  def_step("step", &step<cpu::step>, "One step in place on tensors given by address.");
  def_step("stream", &step<cpu::stream>, "The memory traffic of a step: it spoils the tensors.");
}
