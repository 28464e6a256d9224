#include "tools/node/default_id.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "protocol/base/hex.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/transport/system.h"

namespace genai::node {
namespace {

constexpr std::size_t kRandomBytes = 6;
constexpr int kMaxProcesses = 4096;  // on one host

std::string prefix_of(std::string_view host) {
  std::string prefix(host.substr(0, limits::kMaxIdBytes - 2 * kRandomBytes - 1));
  for (char& c : prefix)
    if (!is_valid_id({&c, 1})) c = '-';
  return (prefix.empty() ? "node" : prefix) + "-";
}

std::string random_hex() {
  std::string bytes(kRandomBytes, '\0');
  transport::fill_random(bytes.data(), bytes.size());
  return hex(bytes);
}

/// What an earlier process wrote, if it is one of our ids.
std::optional<std::string> read_id(int file, const std::string& prefix) {
  std::string text(limits::kMaxIdBytes + 1, '\0');
  const ssize_t got = pread(file, text.data(), text.size(), 0);
  if (got <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  text = text.substr(0, text.find('\n'));
  if (!is_valid_id(text) || !text.starts_with(prefix)) return std::nullopt;
  return text;
}

bool write_id(int file, const std::string& id) {
  const std::string line = id + "\n";
  return ftruncate(file, 0) == 0 &&
         pwrite(file, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size()) &&
         fsync(file) == 0;
}

/// The first file that no other process uses; errno says why there is none.
Descriptor lock_file(const std::string& folder, const std::string& prefix) {
  for (int number = 1; number <= kMaxProcesses; ++number) {
    // Named after the host: several may share a home.
    const std::string path = fmt::format("{}/{}{}.id", folder, prefix, number);
    Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0 || flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno != EWOULDBLOCK) return {};
  }
  errno = EUSERS;
  return {};
}

}  // namespace

DefaultId claim_default_id(const std::string& folder, std::string_view host) {
  const std::string prefix = prefix_of(host);
  DefaultId out{prefix + random_hex(), {}, "there is no folder for it"};
  if (folder.empty()) return out;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  out.lock = lock_file(folder, prefix);
  const bool kept = out.lock.get() >= 0;
  if (!kept) error.assign(errno, std::generic_category());
  const auto earlier = kept ? read_id(out.lock.get(), prefix) : std::nullopt;
  if (earlier) out.id = *earlier;
  out.why_not_kept.clear();
  if (earlier || (kept && write_id(out.lock.get(), out.id))) return out;
  if (kept) error.assign(errno, std::generic_category());
  out.why_not_kept = folder + ": " + error.message();
  return out;
}

std::string host_name() {
  char name[256] = "";
  if (gethostname(name, sizeof name - 1) != 0) name[0] = '\0';
  return name;
}

}  // namespace genai::node
