// A tensor's numbers to the codes of a storage and back. threads: zero for OpenMP's choice.
#pragma once

#include <cstdint>

#include "storage.h"

namespace truestep::cpu {

// The storage of that place in the table, or nullptr beyond the last.
const StorageKernel* storage_kernel(int storage);

// Bytes that the codes of n elements and one scale take.
std::int64_t code_bytes(const Kept& kept, std::int64_t n);
std::int64_t scale_bytes(const Kept& kept);

void encode(const Kept& kept, const float* x, const Codes& codes, std::int64_t n, int threads);
void decode(const Kept& kept, const Codes& codes, float* x, std::int64_t n, int threads);

// The same of a storage "blocks" in groups of another grouping, of which there are `groups`.
void encode_groups(const Kept& kept, const Grouping& grouping, const float* x, const Codes& codes,
                   std::int64_t groups, int threads);
void decode_groups(const Kept& kept, const Grouping& grouping, const Codes& codes, float* x,
                   std::int64_t groups, int threads);

}  // namespace truestep::cpu
