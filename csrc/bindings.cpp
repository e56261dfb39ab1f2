// truestep.fast._core: the C++ kernels, seen from Python. Tensors are passed as tables of
// addresses; truestep.fast.ours.cpu_plans owns the arrays behind them and checks types, shapes and
// contiguity.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/optimizers.h"
#include "cpu/partition.h"
#include "cpu/quantizers.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using truestep::AdamWConstants;
using truestep::AdamWHyper;
using truestep::kCodes;
using truestep::kMaxBlock;
using truestep::kMinBlock;
using truestep::u16;
using truestep::u8;
namespace cpu = truestep::cpu;

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = Vector<const std::int64_t>;
using Indices = Vector<const std::int32_t>;
using ConstantTable = nb::ndarray<const float, nb::shape<-1, 9>, nb::c_contig, nb::device::cpu>;

static_assert(sizeof(AdamWConstants) == 9 * sizeof(float), "ConstantTable rows are AdamWConstants");

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

struct Addresses {
  const char* name;
  const Table& table;
  std::int64_t alignment;
};

void require_addresses(const Addresses& given, const Table& sizes) {
  require_count(given.name, given.table.shape(0), sizes.shape(0));
  for (std::size_t i = 0; i < sizes.shape(0); ++i) {
    const std::int64_t address = given.table.data()[i];
    if (sizes.data()[i] > 0 && (address == 0 || address % given.alignment != 0)) {
      fail(given.name, "[", i, "] must be a multiple of ", given.alignment, " and not zero, got ",
           address);
    }
  }
}

void require_threads(int threads) {
  if (threads < 0) fail("threads must be >= 0, got ", threads);
}

void require_block_size(std::int64_t block_size) {
  const bool power_of_two = (block_size & (block_size - 1)) == 0;
  if (block_size < kMinBlock || block_size > kMaxBlock || !power_of_two) {
    fail("block_size must be a power of two from ", kMinBlock, " to ", kMaxBlock, ", got ",
         block_size);
  }
}

cpu::TensorList tensor_list(const Table& sizes, const ConstantTable& constants,
                            const Indices& index, std::initializer_list<Addresses> tensors) {
  require_sizes(sizes);
  require_count("constant_index", index.shape(0), sizes.shape(0));
  const std::size_t rows = constants.shape(0);
  for (std::size_t i = 0; i < index.shape(0); ++i) {
    const std::int32_t row = index.data()[i];
    if (row < 0 || static_cast<std::size_t>(row) >= rows) {
      fail("constant_index[", i, "] must lie in [0, ", rows, "), got ", row);
    }
  }
  for (const Addresses& given : tensors) require_addresses(given, sizes);
  return {static_cast<std::int64_t>(sizes.shape(0)), sizes.data(),
          reinterpret_cast<const AdamWConstants*>(constants.data()), index.data()};
}

template <decltype(cpu::adamw_float32)* kStep, int kParameterSize>
void adamw(Table p, Table g, Table m, Table v, Table sizes, ConstantTable constants, Indices index,
           int threads) {
  const cpu::TensorList list =
      tensor_list(sizes, constants, index,
                  {{"p", p, kParameterSize}, {"g", g, kParameterSize}, {"m", m, 4}, {"v", v, 4}});
  require_threads(threads);
  const nb::gil_scoped_release unlocked;
  kStep(list, {p.data(), g.data(), m.data(), v.data()}, threads);
}

template <decltype(cpu::adamw_8bit)* kStep>
void adamw_8bit(Table p, Table g, Table m_code, Table m_absmax, Table v_code, Table v_absmax,
                Table sizes, ConstantTable constants, Indices index, const cpu::Codebook& m_map,
                const cpu::Codebook& v_map, std::int64_t block_size, int threads) {
  const cpu::TensorList list = tensor_list(sizes, constants, index,
                                           {{"p", p, 4},
                                            {"g", g, 4},
                                            {"m_code", m_code, 1},
                                            {"m_absmax", m_absmax, 4},
                                            {"v_code", v_code, 1},
                                            {"v_absmax", v_absmax, 4}});
  require_block_size(block_size);
  require_threads(threads);
  const nb::gil_scoped_release unlocked;
  kStep(list, {p.data(), g.data(), m_code.data(), m_absmax.data(), v_code.data(), v_absmax.data()},
        m_map, v_map, block_size, threads);
}

// n, once code and absmax fit it.
std::int64_t require_blocks(std::size_t n, std::size_t codes, std::size_t absmaxima,
                            std::int64_t block_size, int threads) {
  require_block_size(block_size);
  require_threads(threads);
  require_count("code", codes, n);
  const std::size_t block = static_cast<std::size_t>(block_size);
  require_count("absmax", absmaxima, (n + block - 1) / block);
  return static_cast<std::int64_t>(n);
}

void quantize(const cpu::Codebook& map, Vector<const float> x, Vector<u8> code,
              Vector<float> absmax, std::int64_t block_size, int threads) {
  const std::int64_t n =
      require_blocks(x.shape(0), code.shape(0), absmax.shape(0), block_size, threads);
  const nb::gil_scoped_release unlocked;
  cpu::quantize(map, x.data(), code.data(), absmax.data(), n, block_size, threads);
}

void dequantize(const cpu::Codebook& map, Vector<const u8> code, Vector<const float> absmax,
                Vector<float> x, std::int64_t block_size, int threads) {
  const std::int64_t n =
      require_blocks(x.shape(0), code.shape(0), absmax.shape(0), block_size, threads);
  const nb::gil_scoped_release unlocked;
  cpu::dequantize(map, code.data(), absmax.data(), x.data(), n, block_size, threads);
}

void bfloat16_encode(Vector<const float> x, Vector<u16> code, int threads) {
  require_threads(threads);
  require_count("code", code.shape(0), x.shape(0));
  const nb::gil_scoped_release unlocked;
  cpu::bfloat16_encode(x.data(), code.data(), static_cast<std::int64_t>(x.shape(0)), threads);
}

void bfloat16_decode(Vector<const u16> code, Vector<float> x, int threads) {
  require_threads(threads);
  require_count("x", x.shape(0), code.shape(0));
  const nb::gil_scoped_release unlocked;
  cpu::bfloat16_decode(code.data(), x.data(), static_cast<std::int64_t>(x.shape(0)), threads);
}

void init_codebook(cpu::Codebook* codebook, Vector<const float> values) {
  require_count("values", values.shape(0), kCodes);
  new (codebook) cpu::Codebook;
  if (const char* wrong = cpu::build_codebook(values.data(), *codebook)) fail(wrong);
}

std::vector<float> adamw_constants(double lr, double beta1, double beta2, double eps,
                                   double weight_decay, bool maximize, double t) {
  if (!(t >= 1)) fail("t must be >= 1, got ", t);
  const AdamWConstants c =
      cpu::constants_of(AdamWHyper{lr, beta1, beta2, eps, weight_decay, maximize}, t);
  const float* first = &c.beta1;
  return std::vector<float>(first, first + 9);
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

  module.def("bfloat16_encode", &bfloat16_encode, "x"_a, "code"_a, "threads"_a = 0,
             "Fill code with the nearest bfloat16 of every element.");
  module.def("bfloat16_decode", &bfloat16_decode, "code"_a, "x"_a, "threads"_a = 0,
             "Fill x with the value of every code.");
  nb::class_<cpu::Codebook>(module, "DynamicMap", "256 ascending values, prepared for searching.")
      .def("__init__", &init_codebook, "values"_a);
  module.def("quantize", &quantize, "map"_a, "x"_a, "code"_a, "absmax"_a, "block_size"_a,
             "threads"_a = 0, "Fill code and absmax from x.");
  module.def("dequantize", &dequantize, "map"_a, "code"_a, "absmax"_a, "x"_a, "block_size"_a,
             "threads"_a = 0, "Fill x from code and absmax.");

  module.def("adamw_constants", &adamw_constants, "lr"_a, "beta1"_a, "beta2"_a, "eps"_a,
             "weight_decay"_a, "maximize"_a, "t"_a,
             "The float32 constants of step t, in the order of AdamWConstants.");
  const auto def_adamw = [&](const char* name, auto* step, const char* text) {
    module.def(name, step, "p"_a, "g"_a, "m"_a, "v"_a, "sizes"_a, "constants"_a, "constant_index"_a,
               "threads"_a = 0, text);
  };
  def_adamw("adamw_float32", &adamw<cpu::adamw_float32, 4>,
            "One step in place on float32 tensors given by address.");
  def_adamw("adamw_bfloat16", &adamw<cpu::adamw_bfloat16, 2>,
            "One step in place on bfloat16 parameters and gradients with float32 moments.");
  def_adamw("stream_float32", &adamw<cpu::stream_float32, 4>,
            "Add g to p, m and v: the memory traffic of adamw_float32.");
  const auto def_adamw_8bit = [&](const char* name, auto* step, const char* text) {
    module.def(name, step, "p"_a, "g"_a, "m_code"_a, "m_absmax"_a, "v_code"_a, "v_absmax"_a,
               "sizes"_a, "constants"_a, "constant_index"_a, "m_map"_a, "v_map"_a, "block_size"_a,
               "threads"_a = 0, text);
  };
  def_adamw_8bit("adamw_8bit", &adamw_8bit<cpu::adamw_8bit>,
                 "One step in place on float32 tensors with block-wise 8-bit moments.");
  def_adamw_8bit("stream_8bit", &adamw_8bit<cpu::stream_8bit>,
                 "Add g to p and small numbers to the codes: the memory traffic of adamw_8bit.");
}
