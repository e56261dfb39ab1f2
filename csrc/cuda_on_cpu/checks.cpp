// What the compiler's own checks call (-fsanitize=alignment,bounds,...), without the sanitizer's
// library: the launch ends with a message instead of the process with a report on stderr. The names
// and the layouts are those of GCC's and Clang's interface.
#include <cstdint>

#include "runtime.h"

namespace {

struct Location {
  const char* file;
  std::uint32_t line, column;
};

struct Type {
  std::uint16_t kind, info;
  char name[1];
};

struct TypeMismatch {
  Location location;
  const Type* type;
  unsigned char log_alignment, access;
};

struct OutOfBounds {
  Location location;
  const Type* array;
  const Type* index;
};

struct Overflow {
  Location location;
  const Type* type;
};

constexpr const char* kAccesses[] = {"load of", "store to", "reference to", "member access in",
                                     "member call on"};

const char* access_name(unsigned char access) {
  return access < sizeof kAccesses / sizeof *kAccesses ? kAccesses[access] : "use of";
}

[[noreturn]] void overflow(const Overflow* data, const char* operation) {
  cuda_on_cpu::fail("%s:%u: %s overflows type %s", data->location.file, data->location.line,
                    operation, data->type->name);
}

}  // namespace

extern "C" {

void __ubsan_handle_type_mismatch_v1(const TypeMismatch* data, std::uintptr_t address) {
  const unsigned long alignment = 1ul << data->log_alignment;
  if (address == 0) {
    cuda_on_cpu::fail("%s:%u: %s null pointer of type %s", data->location.file, data->location.line,
                      access_name(data->access), data->type->name);
  }
  cuda_on_cpu::fail("%s:%u: %s misaligned address %#lx for type %s, which needs alignment %lu",
                    data->location.file, data->location.line, access_name(data->access),
                    static_cast<unsigned long>(address), data->type->name, alignment);
}

void __ubsan_handle_out_of_bounds(const OutOfBounds* data, std::uintptr_t index) {
  cuda_on_cpu::fail("%s:%u: index %ld out of bounds of %s", data->location.file,
                    data->location.line, static_cast<long>(index), data->array->name);
}

void __ubsan_handle_add_overflow(const Overflow* data, std::uintptr_t, std::uintptr_t) {
  overflow(data, "sum");
}
void __ubsan_handle_sub_overflow(const Overflow* data, std::uintptr_t, std::uintptr_t) {
  overflow(data, "difference");
}
void __ubsan_handle_mul_overflow(const Overflow* data, std::uintptr_t, std::uintptr_t) {
  overflow(data, "product");
}
void __ubsan_handle_negate_overflow(const Overflow* data, std::uintptr_t) {
  overflow(data, "negation");
}
void __ubsan_handle_divrem_overflow(const Overflow* data, std::uintptr_t, std::uintptr_t) {
  overflow(data, "quotient");
}
void __ubsan_handle_shift_out_of_bounds(const Overflow* data, std::uintptr_t, std::uintptr_t) {
  overflow(data, "shift");
}

}  // extern "C"
