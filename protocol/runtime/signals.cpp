#include "protocol/runtime/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace genai::runtime {
namespace {

void set_action(int signo, void (*action)(int)) {
  struct sigaction sa = {};
  sa.sa_handler = action;
  sigemptyset(&sa.sa_mask);
  sigaction(signo, &sa, nullptr);
}

}  // namespace

SignalFd::SignalFd(ChildSignals children) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signo : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signo);
  if (children == ChildSignals::kWatch) {
    sigaddset(&set, SIGCHLD);
    // A parent may have left it ignored; then children would vanish without a status.
    set_action(SIGCHLD, SIG_DFL);
  }
  set_action(SIGPIPE, SIG_IGN);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    throw std::system_error(error, std::generic_category(), "cannot block signals");
  }
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

SignalFd::~SignalFd() { close(fd_); }

std::optional<int> SignalFd::read() {
  signalfd_siginfo info;
  ssize_t got = 0;
  do {
    got = ::read(fd_, &info, sizeof info);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void restore_default_signals() noexcept {
  // SIGKILL, SIGSTOP and glibc's own refuse, and need it not.
  for (int signo = 1; signo < NSIG; ++signo) set_action(signo, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

DrainState::Phase DrainState::on_signal(int signo) {
  if (signo != SIGTERM && signo != SIGINT) return phase_;
  phase_ = phase_ == Phase::kRunning ? Phase::kDraining : Phase::kForced;
  return phase_;
}

}  // namespace genai::runtime
