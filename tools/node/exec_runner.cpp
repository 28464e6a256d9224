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
#include <csignal>
#include <cstring>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "protocol/base/descriptor.h"
#include "protocol/base/limits.h"
#include "tools/node/line_reader.h"
#include "tools/node/result_folder.h"
#include "tools/node/scratch.h"
#include "tools/node/supervisor.h"

namespace genai::node {
namespace {

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

/// What $GENAI_RESULT_FILE holds; nothing when it is missing or empty. Throws WrongResult,
/// ResultTooLarge, or std::system_error when the machine does not let us read it.
std::optional<std::string> read_result_file(const std::string& path) {
  constexpr char kWhat[] = "the result file";
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0 && errno == ENOENT) return std::nullopt;
  struct stat info {};
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) cannot_read(kWhat, errno);
  if (!S_ISREG(info.st_mode)) throw WrongResult("the result file is not a regular file");
  if (info.st_size == 0) return std::nullopt;
  if (static_cast<std::size_t>(info.st_size) > kMaxResultBytes) throw ResultTooLarge(too_large());
  std::string content;
  append_from(fd.get(), static_cast<std::size_t>(info.st_size), content);
  return content;
}

/// One command from start to end.
class Execution {
 public:
  Execution(const Command& command, int abort_fd, const ProgressCallback& progress)
      : command_(command), abort_fd_(abort_fd), progress_(progress) {
    const Descriptor payload = memory_file(command.payload);
    std::vector<std::string> environment = command.environment;
    environment.push_back("GENAI_RESULT_FILE=" + scratch_.result_file());
    environment.push_back("GENAI_RESULT_DIR=" + scratch_.result_folder());
    environment.push_back("GENAI_PROGRESS_FD=3");
    supervised_ = start_supervised(
        command.text, environment,
        {payload.get(), out_.write.get(), err_.write.get(), lines_.write.get()}, scratch_);
    control_ = Descriptor(supervised_.control);
    out_.write.reset();
    err_.write.reset();
    lines_.write.reset();
    if (command.time_limit.count() > 0) deadline_ = Clock::now() + command.time_limit;
  }

  ~Execution() {
    // After an exception: the end of file makes the supervisor kill the command.
    control_.reset();
    wake_supervisor();
    finish_supervised(supervised_);
    // A killed supervisor's programs, where this process could not adopt them.
    if (!end_) end_programs_of(scratch_.path());
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  TaskResult run() {
    while (!ended_) wait();
    // Nobody writes any more: what was written is in the pipes.
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
                      {ended_by_us_ ? -1 : abort_fd_, POLLIN, 0}};
    if (poll(waits, std::size(waits), timeout_ms()) < 0) {
      if (errno == EINTR) return;
      refuse("poll");
    }
    if (waits[1].revents) read_some(out_.read);
    if (waits[2].revents) read_some(err_.read);
    if (waits[3].revents) read_some(lines_.read);
    if (waits[4].revents) terminate(TaskResult::error("aborted"));
    if (deadline_ && Clock::now() >= *deadline_)
      terminate(TaskResult::time_limit(
          fmt::format("time limit of {:g} s exceeded",
                      static_cast<double>(command_.time_limit.count()) / 1000)));
    if (waits[0].revents) read_end();
  }

  int timeout_ms() const {
    if (!deadline_ || ended_by_us_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }

  void terminate(TaskResult why) {
    if (ended_by_us_) return;
    ended_by_us_ = std::move(why);
    [[maybe_unused]] const auto sent = send(control_.get(), &kTerminate, 1, MSG_NOSIGNAL);
    wake_supervisor();
  }

  /// A command that has stopped it (kill -STOP $PPID) must not stop the watch over itself.
  void wake_supervisor() const { kill(supervised_.pid, SIGCONT); }

  void read_end() {
    CommandEnd end;
    const ssize_t got = recv(control_.get(), &end, sizeof end, MSG_WAITALL);
    if (got < 0 && errno == EINTR) return;
    ended_ = true;
    if (got == sizeof end) end_ = end;
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
    if (output_.size() + bytes.size() > kMaxResultBytes)
      return terminate(TaskResult::too_large(too_large()));
    if (!ended_by_us_) output_ += bytes;
  }

  void take_line(std::string_view line) {
    if (const auto progress = parse_progress(line)) {
      if (progress_) progress_(progress->fraction, progress->text);
    } else if (const auto ms = parse_load_ms(line)) {
      load_ms_ = *ms;
    } else if (auto model = parse_loaded(line)) {
      if (!loaded_) loaded_.emplace();
      if (loaded_->size() < limits::kMaxModels) loaded_->push_back(std::move(*model));
    } else if (auto reason = parse_impossible(line)) {
      impossible_ = std::move(*reason);
    }
  }

  TaskResult result() {
    TaskResult result = outcome();
    result.load_ms = load_ms_;
    result.loaded_models = std::move(loaded_);
    return result;
  }

  TaskResult outcome() {
    if (impossible_) return TaskResult::impossible(*impossible_);
    if (ended_by_us_) return *ended_by_us_;
    if (!end_) return TaskResult::error("the command's supervisor died");
    if (end_->start_error != 0) return not_started(end_->start_error);
    const int status = end_->status;
    if (WIFSIGNALED(status)) {
      const int signo = WTERMSIG(status);
      return failure(fmt::format("killed by signal {} ({})", signo, strsignal(signo)), 128 + signo);
    }
    const int code = WEXITSTATUS(status);
    if (code != 0) return failure(fmt::format("exit code {}", code), code);
    if (auto files = read_result_folder(scratch_.result_folder(), command_.content_type);
        !files.empty())
      return TaskResult::bundle(std::move(files));
    auto content = read_result_file(scratch_.result_file());
    return TaskResult::ok(std::move(content ? *content : output_), command_.content_type);
  }

  static TaskResult not_started(int error) {
    std::string what = std::string("cannot start the command: ") + strerror(error);
    // Too long are the parameters of this task; everything else is the machine's trouble.
    if (error == E2BIG) return TaskResult::error(std::move(what));
    return TaskResult::returned(std::move(what));
  }

  TaskResult failure(std::string what, int exit_code) const {
    if (const std::string tail = tail_.text(); !tail.empty()) what += ": " + tail;
    return TaskResult::error(std::move(what), exit_code);
  }

  const Command& command_;
  const int abort_fd_;
  const ProgressCallback& progress_;
  Scratch scratch_;
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
  std::optional<std::string> impossible_;           // likewise: why no attempt can succeed
  std::optional<TaskResult> ended_by_us_;
  bool ended_ = false;
  std::optional<CommandEnd> end_;
};

}  // namespace

TaskResult run_command(const Command& command, int abort_fd, const ProgressCallback& progress) {
  try {
    TaskResult result = Execution(command, abort_fd, progress).run();
    // Is there no room even for the next one, then its failure tells nothing of the task.
    if (result.exit_code) Scratch();
    return result;
  } catch (const WrongResult& error) {
    return TaskResult::error(error.what());
  } catch (const ResultTooLarge& error) {
    return TaskResult::too_large(error.what());
  } catch (const std::bad_alloc&) {
    return TaskResult::returned("no memory");
  } catch (const std::exception& error) {  // the system refuses something
    return TaskResult::returned(error.what());
  }
}

}  // namespace genai::node
