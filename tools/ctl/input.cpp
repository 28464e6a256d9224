#include "tools/ctl/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <streambuf>
#include <system_error>

namespace genai::ctl {

/// std::filebuf takes an error for the end of the file; this one does not.
class Input::Buffer : public std::streambuf {
 public:
  Buffer(const std::string& name, std::size_t max_bytes)
      : name_(name == "-" ? "standard input" : name),
        max_bytes_(max_bytes),
        fd_(name == "-" ? STDIN_FILENO : open(name.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info {};
    if (fd_ < 0 || fstat(fd_, &info) != 0) fail(errno);
    if (S_ISDIR(info.st_mode)) fail(EISDIR);
    if (S_ISREG(info.st_mode) && static_cast<std::size_t>(info.st_size) > max_bytes) too_large();
  }
  ~Buffer() override {
    if (fd_ > STDIN_FILENO) close(fd_);
  }

 protected:
  int_type underflow() override {
    const std::size_t got = read_some();
    read_bytes_ += got;
    if (read_bytes_ > max_bytes_) too_large();
    setg(bytes_.data(), bytes_.data(), bytes_.data() + got);
    return got == 0 ? traits_type::eof() : traits_type::to_int_type(bytes_[0]);
  }

 private:
  [[noreturn]] void fail(int error) const {
    throw InputError(name_ + ": " + std::generic_category().message(error));
  }
  [[noreturn]] void too_large() const {
    throw InputError(name_ + ": more than " + size_text(max_bytes_));
  }

  std::size_t read_some() {
    for (;;) {
      const ssize_t got = ::read(fd_, bytes_.data(), bytes_.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      pollfd readable{fd_, POLLIN, 0};
      if (errno == EAGAIN)  // somebody has made our standard input one that does not block
        poll(&readable, 1, -1);
      else if (errno != EINTR)
        fail(errno);
    }
  }

  const std::string name_;
  const std::size_t max_bytes_;
  const int fd_;
  std::size_t read_bytes_ = 0;
  std::array<char, 65536> bytes_{};
};

Input::Input(const std::string& name, std::size_t max_bytes)
    : buffer_(std::make_unique<Buffer>(name, max_bytes)), stream_(buffer_.get()) {
  stream_.exceptions(std::ios::badbit);  // passes on what the buffer throws
}

Input::~Input() = default;

std::istream& Input::stream() { return stream_; }

std::string Input::all() {
  return {std::istreambuf_iterator<char>(buffer_.get()), std::istreambuf_iterator<char>()};
}

bool next_line(std::istream& in, std::string& line, std::size_t max_bytes) {
  constexpr int kEnd = std::streambuf::traits_type::eof();
  line.clear();
  int byte = in.rdbuf()->sbumpc();
  if (byte == kEnd) return false;
  for (; byte != kEnd && byte != '\n'; byte = in.rdbuf()->sbumpc()) {
    if (line.size() > max_bytes) throw InputError("a line of more than " + size_text(max_bytes));
    line += static_cast<char>(byte);
  }
  if (byte == '\n' && line.ends_with('\r')) line.pop_back();
  return true;
}

void read_task_ids(std::vector<std::string>& ids) {
  constexpr std::size_t kMaxIdListBytes = std::size_t{128} << 20;  // of a million ids, and more
  constexpr std::size_t kMaxIdLineBytes = 4096;
  const auto place = std::find(ids.begin(), ids.end(), "-");
  if (place == ids.end()) return;
  Input input("-", kMaxIdListBytes);
  std::vector<std::string> read;
  std::string line;
  while (next_line(input.stream(), line, kMaxIdLineBytes))
    if (!line.empty()) read.push_back(line);
  if (read.empty()) throw InputError("standard input: there is no task id");
  ids.insert(ids.erase(place), read.begin(), read.end());
}

std::string size_text(std::size_t bytes) {
  for (const auto& [unit, name] : {std::pair(30, " GiB"), {20, " MiB"}, {10, " KiB"}})
    if (bytes >> unit != 0 && bytes % (std::size_t{1} << unit) == 0)
      return std::to_string(bytes >> unit) + name;
  return std::to_string(bytes) + " bytes";
}

}  // namespace genai::ctl
