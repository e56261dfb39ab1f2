// The schedules of csrc/schedules as the rest of the C++ sees them: names and a function.
#pragma once

#include <cstdint>

namespace truestep::cpu {

struct ScheduleKernel {
  const char* schedule;
  const char* hyper;  // names, parted by blanks; the last may be a list, "name[]"
  // hyper: a double per name, of a list its length, which its numbers follow.
  double (*value)(const double* hyper, double t);
};

extern const ScheduleKernel kSchedules[];
extern const int kScheduleCount;

// How many doubles the hyperparameters that these n begin with have.
std::int64_t hyper_size(const ScheduleKernel& schedule, const double* hyper, std::int64_t n);

// values[i]: of the step after steps[i] steps made; nan where the schedule has none.
void schedule_values(const ScheduleKernel& schedule, const double* hyper, const std::int64_t* steps,
                     double* values, std::int64_t n);

}  // namespace truestep::cpu
