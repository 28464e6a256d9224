#include "protocol/transport/system.h"

#include <sys/random.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace genai::transport {

Now read_clock() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<Duration>(mono), std::chrono::duration_cast<Duration>(wall)};
}

void fill_random(void* out, std::size_t size) {
  auto* bytes = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = getrandom(bytes, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
}

std::uint64_t raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    throw std::system_error(errno, std::generic_category(), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

TaskId new_task_id() {
  std::array<std::uint8_t, 10> random;
  fill_random(random.data(), random.size());
  return uuid7(to_ms(read_clock().wall), random);
}

}  // namespace genai::transport
