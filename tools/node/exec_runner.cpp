#include "tools/node/exec_runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "protocol/limits.h"
#include "protocol/transport/descriptor.h"
#include "tools/node/line_reader.h"
#include "tools/node/supervisor.h"

namespace genai::node {
namespace {

using transport::Descriptor;

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = 64u << 10;

[[noreturn]] void refuse(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
  Pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) refuse("pipe");
    read = Descriptor(fds[0]);
    write = Descriptor(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
  }
  Descriptor read, write;
};

/// A private directory, gone with all that is in it.
class ScratchDir {
 public:
  ScratchDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base && *base ? base : "/tmp") + "/genai-node-XXXXXX";
    if (!mkdtemp(path_.data())) {
      const int error = errno;
      throw std::system_error(error, std::generic_category(), "cannot make " + path_);
    }
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Standard input as a file in memory: nothing has to be fed while the command runs.
Descriptor memory_file(std::string_view content) {
  Descriptor fd(memfd_create("genai-payload", MFD_CLOEXEC));
  if (fd.get() < 0) refuse("memfd_create");
  while (!content.empty()) {
    const ssize_t written = write(fd.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse("cannot store the payload");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) refuse("lseek");
  return fd;
}

std::string too_large() {
  return fmt::format("the result is larger than the limit of {} bytes", kMaxResultBytes);
}

/// What $GENAI_RESULT_FILE holds; nothing when it is missing or empty. Throws.
std::optional<std::string> read_result_file(const std::string& path) {
  Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    refuse("cannot read the result file");
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) refuse("cannot read the result file");
  if (!S_ISREG(info.st_mode)) throw std::runtime_error("the result file is not a regular file");
  if (info.st_size == 0) return std::nullopt;
  if (static_cast<std::size_t>(info.st_size) > kMaxResultBytes)
    throw std::runtime_error(too_large());
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t used = 0;
  while (used < content.size()) {
    const ssize_t got = read(fd.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse("cannot read the result file");
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

/// One command from start to end.
class Execution {
 public:
  Execution(const Command& command, int abort_fd, const ProgressCallback& progress)
      : command_(command),
        abort_fd_(abort_fd),
        progress_(progress),
        result_file_(scratch_.path() + "/result") {
    const Descriptor payload = memory_file(command.payload);
    std::vector<std::string> environment = command.environment;
    environment.push_back("GENAI_RESULT_FILE=" + result_file_);
    environment.push_back("GENAI_PROGRESS_FD=3");
    supervised_ =
        start_supervised(command.text, environment,
                         {payload.get(), out_.write.get(), err_.write.get(), lines_.write.get()},
                         result_file_, scratch_.path());
    control_ = Descriptor(supervised_.control);
    out_.write.reset();
    err_.write.reset();
    lines_.write.reset();
    if (command.time_limit.count() > 0) deadline_ = Clock::now() + command.time_limit;
  }

  ~Execution() {
    // After an exception: the end of file makes the supervisor kill the group.
    control_.reset();
    while (waitpid(supervised_.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  TaskResult run() {
    while (!ended_) wait();
    // The group is dead: what it wrote is in the pipes.
    drain(out_.read);
    drain(err_.read);
    drain(lines_.read);
    return result();
  }

 private:
  void wait() {
    pollfd waits[] = {{control_.get(), POLLIN, 0},
                      {out_.read.get(), POLLIN, 0},
                      {err_.read.get(), POLLIN, 0},
                      {lines_.read.get(), POLLIN, 0},
                      {why_ended_.empty() ? abort_fd_ : -1, POLLIN, 0}};
    if (poll(waits, std::size(waits), timeout_ms()) < 0) {
      if (errno == EINTR) return;
      refuse("poll");
    }
    if (waits[1].revents) read_some(out_.read);
    if (waits[2].revents) read_some(err_.read);
    if (waits[3].revents) read_some(lines_.read);
    if (waits[4].revents) terminate("aborted");
    if (deadline_ && Clock::now() >= *deadline_)
      terminate(fmt::format("time limit of {:g} s exceeded",
                            static_cast<double>(command_.time_limit.count()) / 1000));
    if (waits[0].revents) read_status();
  }

  int timeout_ms() const {
    if (!deadline_ || !why_ended_.empty()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }

  void terminate(std::string why) {
    if (!why_ended_.empty()) return;
    why_ended_ = std::move(why);
    [[maybe_unused]] const auto sent = send(control_.get(), &kTerminate, 1, MSG_NOSIGNAL);
  }

  void read_status() {
    int status = 0;
    const ssize_t got = recv(control_.get(), &status, sizeof status, MSG_WAITALL);
    if (got < 0 && errno == EINTR) return;
    ended_ = true;
    if (got == sizeof status) status_ = status;
  }

  /// False when nothing is left now, or for ever.
  bool read_some(Descriptor& fd) {
    const ssize_t got = read(fd.get(), chunk_.data(), chunk_.size());
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      fd.reset();  // poll passes over it
      return false;
    }
    take(fd, {chunk_.data(), static_cast<std::size_t>(got)});
    return true;
  }
  void drain(Descriptor& fd) {
    while (fd.get() >= 0 && read_some(fd)) {
    }
  }

  void take(const Descriptor& from, std::string_view bytes) {
    if (&from == &err_.read) return tail_.add(bytes);
    if (&from == &lines_.read)
      return splitter_.add(bytes, [&](std::string_view line) { take_line(line); });
    if (output_.size() + bytes.size() > kMaxResultBytes) return terminate(too_large());
    if (why_ended_.empty()) output_ += bytes;
  }

  void take_line(std::string_view line) {
    if (const auto progress = parse_progress(line)) {
      if (progress_) progress_(progress->fraction, progress->text);
    } else if (const auto ms = parse_load_ms(line)) {
      load_ms_ = *ms;
    } else if (auto model = parse_loaded(line)) {
      if (!loaded_) loaded_.emplace();
      if (loaded_->size() < limits::kMaxModels) loaded_->push_back(std::move(*model));
    }
  }

  TaskResult result() {
    TaskResult result = outcome();
    result.load_ms = load_ms_;
    result.loaded_models = std::move(loaded_);
    return result;
  }

  TaskResult outcome() {
    if (!why_ended_.empty()) return TaskResult::error(why_ended_);
    if (!status_) return TaskResult::error("the command's supervisor died");
    if (WIFSIGNALED(*status_)) {
      const int signo = WTERMSIG(*status_);
      return failure(fmt::format("killed by signal {} ({})", signo, strsignal(signo)), 128 + signo);
    }
    const int code = WEXITSTATUS(*status_);
    if (code != 0) return failure(fmt::format("exit code {}", code), code);
    if (auto content = read_result_file(result_file_))
      return TaskResult::ok(std::move(*content), command_.content_type);
    return TaskResult::ok(std::move(output_), command_.content_type);
  }

  TaskResult failure(std::string what, int exit_code) const {
    if (const std::string tail = tail_.text(); !tail.empty()) what += ": " + tail;
    return TaskResult::error(std::move(what), exit_code);
  }

  const Command& command_;
  const int abort_fd_;
  const ProgressCallback& progress_;
  ScratchDir scratch_;
  const std::string result_file_;
  Pipe out_, err_, lines_;
  Supervised supervised_{};
  Descriptor control_;
  std::optional<Clock::time_point> deadline_;

  std::string chunk_ = std::string(kChunkBytes, '\0');
  std::string output_;
  Tail tail_;
  LineSplitter splitter_;
  std::uint64_t load_ms_ = 0;
  std::optional<std::vector<std::string>> loaded_;  // as the command says
  std::string why_ended_;                           // we ended it, and why
  bool ended_ = false;
  std::optional<int> status_;
};

}  // namespace

TaskResult run_command(const Command& command, int abort_fd, const ProgressCallback& progress) {
  try {
    return Execution(command, abort_fd, progress).run();
  } catch (const std::exception& error) {
    return TaskResult::error(error.what());
  }
}

}  // namespace genai::node
