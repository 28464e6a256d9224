#include "protocol/transport/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "protocol/base/descriptor.h"
#include "protocol/base/text.h"

namespace genai::transport {
namespace {

constexpr std::size_t kKeyChars = 40;
constexpr std::size_t kMaxKeyFileBytes = 4096;

tl::unexpected<Error> problem(ErrorCode code, const std::string& path, const std::string& what) {
  return fail(code, "key file " + path + ": " + what);
}

std::optional<std::string> rights_problem(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return std::strerror(errno);
  if (!S_ISREG(info.st_mode)) return "not a regular file";
  if (info.st_uid != ::geteuid() && info.st_uid != 0) return "belongs to another user";
  if ((info.st_mode & 07777 & ~0600u) == 0) return std::nullopt;
  return "its mode is not 0600: chmod 600 it, or make a new one if others may have read it";
}

/// What is not whole is not left behind: it would be in the way of the next attempt.
Expected<void> write_new(const std::string& path, mode_t mode, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0)
    return problem(errno == EEXIST ? ErrorCode::kNotAllowed : ErrorCode::kMalformed, path,
                   std::strerror(errno));
  errno = ENOSPC;  // of a part that was written, nothing says why the rest was not
  if (::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file.get()) == 0)
    return {};
  const std::string reason = std::strerror(errno);
  ::unlink(path.c_str());
  return problem(ErrorCode::kMalformed, path, reason);
}

/// At most kMaxKeyFileBytes and one more, which says that it is too long.
Expected<std::string> read_text(int fd, const std::string& path) {
  std::string text(kMaxKeyFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return problem(ErrorCode::kMalformed, path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

std::optional<std::string> secret_in(std::string_view text) {
  std::optional<std::string> secret;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (secret || !is_key(line)) return std::nullopt;
    secret = line;
  }
  return secret;
}

}  // namespace

KeyPair make_key_pair() {
  std::array<char, kKeyChars + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw std::runtime_error("this libzmq has no CURVE");
  return {public_key.data(), secret_key.data()};
}

bool is_key(std::string_view text) {
  std::array<std::uint8_t, 32> bytes{};
  const std::string copy(text);  // with a terminator; one in the middle must not end it
  return text.size() == kKeyChars && copy.find('\0') == copy.npos &&
         zmq_z85_decode(bytes.data(), copy.c_str()) != nullptr;
}

Expected<KeyPair> read_key_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return problem(ErrorCode::kMalformed, path, std::strerror(errno));
  if (auto what = rights_problem(file.get())) return problem(ErrorCode::kNotAllowed, path, *what);
  const auto text = read_text(file.get(), path);
  if (!text) return tl::unexpected(text.error());
  const auto secret = secret_in(*text);
  if (!secret || text->size() > kMaxKeyFileBytes)
    return problem(ErrorCode::kMalformed, path,
                   "expected one line with a secret key, as genai-ctl keygen writes it");
  std::array<char, kKeyChars + 1> public_key{};
  if (zmq_curve_public(public_key.data(), secret->c_str()) != 0)
    return problem(ErrorCode::kMalformed, path, "not a secret key");
  return KeyPair{public_key.data(), *secret};
}

Expected<void> write_key_file(const std::string& path, const KeyPair& keys) {
  auto written = write_new(
      path, 0600,
      "# Secret key: whoever has it is whoever it was authorized for.\n" + keys.secret_key + "\n");
  if (!written) return written;
  written = write_new(path + ".pub", 0644, keys.public_key + "\n");
  if (!written) ::unlink(path.c_str());  // a secret key is of no use without the public one
  return written;
}

Expected<std::string> public_key_of(const std::string& key_or_file) {
  // The file first: a path of 40 characters has the shape of a key.
  const Descriptor file(::open(key_or_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && is_key(key_or_file)) return key_or_file;
  if (file.get() < 0 && errno == ENOENT)
    return fail(ErrorCode::kMalformed,
                "neither a public key nor a file: " + clip_text(key_or_file));
  if (file.get() < 0) return problem(ErrorCode::kMalformed, key_or_file, std::strerror(errno));
  const auto text = read_text(file.get(), key_or_file);
  if (!text) return tl::unexpected(text.error());
  const std::string key = text->substr(0, text->find('\n'));
  if (!is_key(key)) return problem(ErrorCode::kMalformed, key_or_file, "expected a public key");
  return key;
}

Expected<std::optional<CurveClient>> curve_client(const std::string& key_file,
                                                  const std::string& server_key) {
  if (server_key.empty()) return std::optional<CurveClient>();
  auto server = public_key_of(server_key);
  if (!server) return fail(ErrorCode::kMalformed, "server-key: " + server.error().detail);
  if (key_file.empty())
    return fail(ErrorCode::kMalformed, "server-key: needs a key-file, the key to be known by");
  auto own = read_key_file(key_file);
  if (!own) return tl::unexpected(own.error());
  return CurveClient{std::move(*own), std::move(*server)};
}

}  // namespace genai::transport
