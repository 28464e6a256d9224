#include "tools/bench/disk_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace genai::bench {

Latencies probe_disk(const std::string& folder, int count) {
  using Clock = std::chrono::steady_clock;
  const std::string path = folder + "/probe";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), path);
  std::array<char, 4096> block;
  block.fill('x');
  Latencies times;
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    const bool done =
        write(fd, block.data(), block.size()) == ssize_t{block.size()} && fdatasync(fd) == 0;
    if (!done) throw std::system_error(errno, std::generic_category(), path);
    times.add(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  close(fd);
  unlink(path.c_str());
  return times;
}

}  // namespace genai::bench
