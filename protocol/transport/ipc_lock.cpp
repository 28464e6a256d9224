#include "protocol/transport/ipc_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace genai::transport {
namespace {

tl::unexpected<Error> in_use(const std::string& by) {
  return fail(ErrorCode::kMalformed, "Address already in use by " + by);
}

std::string process_named_in(int lock) {
  char pid[32];
  const ssize_t size = pread(lock, pid, sizeof pid, 0);
  return size > 0 ? "process " + std::string(pid, static_cast<std::size_t>(size))
                  : "another process";
}

/// A program that knows nothing of the lock may listen there.
bool is_listening(const Descriptor& probe, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  return errno != ECONNREFUSED && errno != ENOENT;  // else it is busy, or not for us
}

}  // namespace

Expected<Descriptor> lock_ipc_path(const std::string& endpoint) {
  constexpr std::string_view kScheme = "ipc://";
  if (!endpoint.starts_with(kScheme)) return Descriptor();
  const std::string path = endpoint.substr(kScheme.size());
  if (path == "*" || path.starts_with('@')) return Descriptor();
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode))
    return fail(ErrorCode::kMalformed, "there is a file that is not a socket");
  const std::string name = path + ".lock";
  Descriptor lock(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.get() < 0) return fail(ErrorCode::kMalformed, name + ": " + std::strerror(errno));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return in_use(process_named_in(lock.get()));
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return fail(ErrorCode::kMalformed, std::strerror(errno));
  if (is_listening(probe, path)) return in_use("another program");
  const std::string pid = std::to_string(getpid());
  // For people only.
  if (ftruncate(lock.get(), 0) == 0) [[maybe_unused]]
    const ssize_t written = pwrite(lock.get(), pid.data(), pid.size(), 0);
  return lock;
}

}  // namespace genai::transport
