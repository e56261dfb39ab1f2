// Repeats launches that were recorded in a file, so that a sanitizer sees the kernels alone,
// without the Python that prepared their arguments. Written by truestep.fast.ours.cuda_sanitize.
//
// Usage: replay FILE. Exit status 0 if every launch ran to its end and the sanitizer is content.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "worker.h"

using cuda_on_cpu::Request;

extern "C" int cuda_on_cpu_launch(const Request* request);

namespace {

class Reader {
 public:
  explicit Reader(const char* path) : file_(path, std::ios::binary) {}

  template <class T>
  T number() {
    T value;
    bytes(&value, sizeof value);
    return value;
  }

  std::string text() {
    std::string value(number<std::uint32_t>(), '\0');
    bytes(value.data(), value.size());
    return value;
  }

  void bytes(void* to, std::size_t size) {
    file_.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
    if (!file_) throw std::runtime_error("the recording ends too early");
  }

 private:
  std::ifstream file_;
};

// A buffer ends where its allocation ends, so that the first byte behind it is known to be foreign.
char* upload(Reader& reader, const std::vector<char*>& buffers) {
  constexpr std::size_t kAlignment = 256;
  const auto offset = reader.number<std::uint32_t>();
  const auto size = static_cast<std::size_t>(reader.number<std::uint64_t>());
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, offset + size) != 0) throw std::bad_alloc();
  char* begin = static_cast<char*>(memory) + offset;
  reader.bytes(begin, size);
  const auto addresses = reader.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < addresses; ++i) {
    const auto at = reader.number<std::uint64_t>();
    const auto target = reader.number<std::uint32_t>();
    const auto delta = reader.number<std::uint64_t>();
    char* address = buffers.at(target) + delta;
    std::memcpy(begin + at, &address, sizeof address);
  }
  return begin;
}

int launch(Reader& reader, std::vector<char*>& buffers) {
  char message[2048] = "";
  const std::string kernel = reader.text();
  Request request{};
  request.kernel = kernel.c_str();
  for (std::uint32_t& size : request.grid) size = reader.number<std::uint32_t>();
  for (std::uint32_t& size : request.block) size = reader.number<std::uint32_t>();
  request.dynamic_shared = reader.number<std::int64_t>();
  request.order = reader.number<std::int32_t>();
  request.threads = 1;
  request.seed = reader.number<std::uint64_t>();
  std::vector<std::vector<char>> values(reader.number<std::uint32_t>());
  std::vector<void*> arguments;
  for (std::vector<char>& value : values) {
    if (reader.number<std::uint8_t>() != 0) {
      const char* address = buffers.at(reader.number<std::uint32_t>());
      value.resize(sizeof address);
      std::memcpy(value.data(), &address, sizeof address);
    } else {
      value.resize(reader.number<std::uint32_t>());
      reader.bytes(value.data(), value.size());
    }
    arguments.push_back(value.data());
  }
  request.arguments = arguments.data();
  request.message = message;
  request.message_size = sizeof message;
  if (cuda_on_cpu_launch(&request) == 0) return 0;
  std::fprintf(stderr, "%s\n", message);
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", arguments[0]);
    return 2;
  }
  try {
    Reader reader(arguments[1]);
    std::vector<char*> buffers;
    int launches = 0, failures = 0;
    for (char event = reader.number<char>(); event != 'E'; event = reader.number<char>()) {
      if (event == 'U') {
        buffers.push_back(upload(reader, buffers));
      } else {
        ++launches;
        failures += launch(reader, buffers);
      }
    }
    for (char* buffer : buffers)
      free(
          reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(buffer) & ~std::uintptr_t{255}));
    std::printf("%d launches, %d failed\n", launches, failures);
    return failures == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
