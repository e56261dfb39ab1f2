#include "schedules.h"

#include <cstring>

#include "../rules/rule.h"
#include "parallel.h"

namespace truestep::cpu {

std::int64_t hyper_size(const ScheduleKernel& schedule, const double* hyper, std::int64_t n) {
  const std::int64_t names = names_in(schedule.hyper);
  const bool listed = std::strchr(schedule.hyper, '[') != nullptr;
  return listed && n >= names ? names + static_cast<std::int64_t>(hyper[names - 1]) : names;
}

void schedule_values(const ScheduleKernel& schedule, const double* hyper, const std::int64_t* steps,
                     double* values, std::int64_t n) {
  const IeeeEnvironment environment;
  for (std::int64_t i = 0; i < n; ++i) {
    values[i] = schedule.value(hyper, static_cast<double>(steps[i]));
  }
}

}  // namespace truestep::cpu
