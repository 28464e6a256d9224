#include "protocol/runtime/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <system_error>
#include <thread>
#include <utility>

namespace genai::runtime {
namespace {

// The last words of a process that ends, and of one that crashes.
constexpr std::chrono::milliseconds kFlushAtExit{1000};
constexpr int kCrashLooks = 100;
constexpr timespec kCrashLook{0, 2'000'000};

LogWriter* the_writer = nullptr;  // for the functions below, which take no argument
std::atomic<bool> is_forked_child{
    false};  // it has no thread, and perhaps a mutex that stays locked

/// Lets the thread write what waits; then the signal does what it always did. A process that logs
/// why it must abort would otherwise be faster than its reason.
void on_crash(int signo, siginfo_t* info, void*) {
  const int saved = errno;
  for (int i = 0; i < kCrashLooks && !the_writer->is_idle() && !is_forked_child; ++i)
    nanosleep(&kCrashLook, nullptr);
  errno = saved;
  // A faulty instruction is repeated, with its registers for the core. What was sent, by a process
  // or a terminal, comes once.
  if (info->si_code <= 0 || signo == SIGQUIT) raise(signo);
}

void catch_crashes() {
  for (const int signo : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT}) {
    struct sigaction action {};
    if (sigaction(signo, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | static_cast<int>(SA_RESETHAND);
    sigaction(signo, &action, nullptr);
  }
}

std::size_t end_of_chunk(std::string_view lines) {
  // Only so much goes into a pipe in one piece, and other processes may write to the same one.
  const std::size_t last = lines.substr(0, PIPE_BUF).rfind('\n');
  return (last != lines.npos ? last : std::min(lines.find('\n'), lines.size() - 1)) + 1;
}

}  // namespace

LogWriter::LogWriter(int fd) : fd_(fd) { the_writer = this; }

void LogWriter::set_notice(Notice notice) {
  const std::lock_guard lock(mutex_);
  notice_ = std::move(notice);
}

void LogWriter::write(std::string_view line) {
  if (is_forked_child) {
    write_all(line);
    return;
  }
  const std::lock_guard lock(mutex_);
  // After one that was dropped all are, so that the notice stands where they are missing.
  if (dropped_ > 0 || waiting_.size() + line.size() > kMaxWaitingLogBytes) {
    ++dropped_;
    return;
  }
  waiting_ += line;
  is_idle_ = false;
  if (!is_started_) start();
  wake_.notify_one();
}

/// Where the system refuses a thread, the lines are written here and now.
void LogWriter::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([this] { run(); }).detach();
    is_started_ = true;
    catch_crashes();
    pthread_atfork(nullptr, nullptr, [] { is_forked_child = true; });
    std::atexit([] { the_writer->flush(kFlushAtExit); });
  } catch (const std::system_error&) {
    write_all(waiting_);
    waiting_.clear();
    is_idle_ = true;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool LogWriter::flush(std::chrono::milliseconds limit) {
  if (is_forked_child) return true;
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, limit, [&] { return is_idle_.load(); });
}

void LogWriter::run() {
  pthread_setname_np(pthread_self(), "log");
  std::string lines;
  std::uint64_t lost = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (waiting_.empty()) {
      is_idle_ = true;
      idle_.notify_all();
      wake_.wait(lock, [&] { return !waiting_.empty(); });
    }
    lines.clear();
    lines.swap(waiting_);
    lost += std::exchange(dropped_, 0);
    const Notice notice = notice_;
    lock.unlock();
    lost += write_lines(lines);
    if (lost > 0 && notice && write_all(notice(lost))) lost = 0;
    lock.lock();
  }
}

/// Returns how many lines were lost to errors: the disk is full, the reader is gone.
std::uint64_t LogWriter::write_lines(std::string_view lines) {
  std::uint64_t lost = 0;
  while (!lines.empty()) {
    const std::string_view chunk = lines.substr(0, end_of_chunk(lines));
    if (!write_all(chunk)) lost += static_cast<std::uint64_t>(std::ranges::count(chunk, '\n'));
    lines.remove_prefix(chunk.size());
  }
  return lost;
}

bool LogWriter::write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else made it non-blocking
      pollfd room{fd_, POLLOUT, 0};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace genai::runtime
