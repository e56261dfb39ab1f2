// A tensor's numbers to the codes of a storage and back. threads: zero for OpenMP's choice.
#pragma once

#include <cstdint>

#include "storage.h"

namespace truestep::cpu {

// Names of the storages, in the order of the table.
const char* storage_name(int storage);

void encode(const Kept& kept, const float* x, const Codes& codes, std::int64_t n, int threads);
void decode(const Kept& kept, const Codes& codes, float* x, std::int64_t n, int threads);

}  // namespace truestep::cpu
