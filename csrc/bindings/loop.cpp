// Schedules and training pieces, as Python sees them.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "../cpu/schedules.h"
#include "../cpu/training.h"
#include "common.h"

namespace truestep::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

// (schedule, hyper) of every schedule.
std::vector<std::tuple<std::string, std::string>> schedules() {
  std::vector<std::tuple<std::string, std::string>> names;
  for (int i = 0; i < cpu::kScheduleCount; ++i) {
    names.emplace_back(cpu::kSchedules[i].schedule, cpu::kSchedules[i].hyper);
  }
  return names;
}

void schedule_values(int kernel, Vector<const double> hyper, Table steps, Vector<double> values) {
  if (kernel < 0 || kernel >= cpu::kScheduleCount) fail("there is no schedule ", kernel);
  const cpu::ScheduleKernel& schedule = cpu::kSchedules[kernel];
  const auto given = static_cast<std::int64_t>(hyper.shape(0));
  const std::int64_t wanted = cpu::hyper_size(schedule, hyper.data(), given);
  if (given != wanted) fail("hyper must have ", wanted, " entries, got ", given);
  require_count("values", values.shape(0), steps.shape(0));
  for (std::size_t i = 0; i < steps.shape(0); ++i) {
    if (steps.data()[i] < 0) fail("steps[", i, "] must be >= 0, got ", steps.data()[i]);
  }
  cpu::schedule_values(schedule, hyper.data(), steps.data(), values.data(),
                       static_cast<std::int64_t>(steps.shape(0)));
}

// (piece, hyper, inputs, outputs, given, numbers, flags) of every piece of the training loop.
using PieceNames = std::tuple<std::string, std::string, std::string, std::string, std::string,
                              std::string, std::string>;

std::vector<PieceNames> training_kernels() {
  std::vector<PieceNames> names;
  for (int i = 0; i < cpu::kTrainingCount; ++i) {
    const cpu::TrainingKernel& k = cpu::kTraining[i];
    names.emplace_back(k.piece, k.hyper, k.inputs, k.outputs, k.given, k.numbers, k.flags);
  }
  return names;
}

// units: of each tensor (outer, middle, inner), whose product is its size.
void train(int kernel, Vector<const double> hyper, Vector<const double> given,
           Vector<double> numbers, Table sizes, AddressRows units, AddressRows inputs,
           AddressRows outputs, int threads) {
  if (kernel < 0 || kernel >= cpu::kTrainingCount) fail("there is no piece ", kernel);
  const cpu::TrainingKernel& k = cpu::kTraining[kernel];
  const std::size_t count = sizes.shape(0);
  const bool listed = std::string(k.given).find('[') != std::string::npos;
  require_sizes(sizes);
  require_threads(threads);
  require_count("hyper", hyper.shape(0), names_in(k.hyper));
  require_count("given", given.shape(0), listed ? count : names_in(k.given));
  require_count("numbers", numbers.shape(0), names_in(k.numbers) + names_in(k.flags));
  require_count("units", units.shape(0), count);
  require_count("units[0]", units.shape(1), 3);
  require_count("inputs", inputs.shape(0), names_in(k.inputs));
  require_count("inputs[0]", inputs.shape(1), count);
  require_count("outputs", outputs.shape(0), names_in(k.outputs));
  require_count("outputs[0]", outputs.shape(1), count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t* row = units.data() + 3 * i;
    if (row[0] < 0 || row[1] < 0 || row[2] < 1 || row[0] * row[1] * row[2] != sizes.data()[i]) {
      fail("units[", i, "] must have the product ", sizes.data()[i], ", got ", row[0], ", ", row[1],
           ", ", row[2]);
    }
  }
  const cpu::TrainingCall call{
      hyper.data(), given.data(), numbers.data(), static_cast<std::int64_t>(count),
      sizes.data(), units.data(), inputs.data(),  outputs.data()};
  const nb::gil_scoped_release unlocked;
  k.run(call, threads);
}

}  // namespace

void bind_loop(nb::module_& module) {
  module.def("schedules", &schedules, "(schedule, hyper) of every schedule.");
  module.def("schedule_values", &schedule_values, "kernel"_a, "hyper"_a, "steps"_a, "values"_a,
             "Fill values with the rates after so many steps; nan where there is none.");
  module.def("training_kernels", &training_kernels,
             "(piece, hyper, inputs, outputs, given, numbers, flags) of every training piece.");
  module.def("train", &train, "kernel"_a, "hyper"_a, "given"_a, "numbers"_a, "sizes"_a, "units"_a,
             "inputs"_a, "outputs"_a, "threads"_a = 0,
             "One call of a piece on tensors given by address; numbers are written too.");
}

}  // namespace truestep::bindings
