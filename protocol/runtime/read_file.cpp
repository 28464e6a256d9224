#include "protocol/runtime/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace genai::runtime {
namespace {

using Unexpected = tl::unexpected<std::string>;
using Clock = std::chrono::steady_clock;

Unexpected system_error(int error) { return Unexpected(std::generic_category().message(error)); }

struct Closer {
  int fd;
  ~Closer() { close(fd); }
};

/// Until there is something to read, or an end. False when the time is over.
bool wait_until_readable(int fd, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd item{fd, POLLIN, 0};
  return poll(&item, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) != 0;
}

}  // namespace

tl::expected<std::string, std::string> read_file(const std::string& path, std::size_t max_bytes,
                                                 std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  // Else to open a pipe that nobody feeds would wait for ever.
  const Closer file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat info {};
  if (file.fd < 0 || fstat(file.fd, &info) != 0) return system_error(errno);
  bool may_have_no_writer_yet = S_ISFIFO(info.st_mode);
  std::string text(max_bytes + 1, '\0');
  std::size_t used = 0;
  while (used <= max_bytes) {
    const ssize_t got = read(file.fd, text.data() + used, text.size() - used);
    if (got > 0) {
      used += static_cast<std::size_t>(got);
    } else if (got == 0 && (used > 0 || !may_have_no_writer_yet)) {
      text.resize(used);
      return text;
    } else if (got == 0 || errno == EAGAIN) {
      may_have_no_writer_yet = false;
      if (!wait_until_readable(file.fd, deadline))
        return Unexpected(fmt::format("its end did not come within {} ms", limit.count()));
    } else if (errno != EINTR) {
      return system_error(errno);
    }
  }
  return Unexpected(fmt::format("it is longer than {} bytes", max_bytes));
}

}  // namespace genai::runtime
