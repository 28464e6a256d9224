#include "protocol/runtime/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

using namespace genai::runtime;
using Phase = DrainState::Phase;

namespace {

bool readable(int fd, int timeout_ms = 0) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

}  // namespace

TEST_CASE("signals wait on the descriptor instead of ending the process") {
  SignalFd signals;
  CHECK_FALSE(readable(signals.fd()));
  CHECK_FALSE(signals.read());
  for (const int signo : {SIGTERM, SIGINT, SIGHUP}) {
    raise(signo);
    CHECK(readable(signals.fd()));
    CHECK(signals.read() == signo);
    CHECK_FALSE(signals.read());
  }
  CHECK((fcntl(signals.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a child's end is delivered only when watched") {
  const auto end_a_child = [] {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(waitpid(child, nullptr, 0) == child);
  };
  SECTION("ignored") {
    SignalFd signals;
    end_a_child();
    CHECK_FALSE(signals.read());
  }
  SECTION("watched, even after a parent that ignored it") {
    signal(SIGCHLD, SIG_IGN);
    SignalFd signals(ChildSignals::kWatch);
    end_a_child();
    CHECK(signals.read() == SIGCHLD);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
  }
}

TEST_CASE("a closed pipe is an error code, not the end") {
  SignalFd signals;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  CHECK(write(ends[1], "x", 1) == -1);
  CHECK(errno == EPIPE);
  close(ends[1]);
}

TEST_CASE("a child gets the default signals back") {
  SignalFd signals;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGTERM, SIG_DFL);  // the test runner's handler; exec would drop it
    restore_default_signals();
    raise(SIGTERM);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);

  const pid_t piping = fork();
  if (piping == 0) {
    restore_default_signals();
    raise(SIGPIPE);
    _exit(1);
  }
  REQUIRE(waitpid(piping, &status, 0) == piping);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGPIPE);
}

TEST_CASE("a child gets back what this process ignores") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    for (const int signo : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGTTOU, SIGRTMIN + 3})
      signal(signo, SIG_IGN);
    restore_default_signals();
    dup2(ends[1], STDOUT_FILENO);
    execlp("grep", "grep", "SigIgn", "/proc/self/status", nullptr);
    _exit(1);
  }
  close(ends[1]);
  char text[64] = "";
  REQUIRE(read(ends[0], text, sizeof text - 1) > 0);
  CHECK(std::string(text) == "SigIgn:\t0000000000000000\n");
  close(ends[0]);
  CHECK(waitpid(child, nullptr, 0) == child);
}

TEST_CASE("the first SIGTERM or SIGINT drains, the second forces") {
  DrainState state;
  CHECK(state.phase() == Phase::kRunning);
  CHECK(state.on_signal(SIGHUP) == Phase::kRunning);
  CHECK(state.on_signal(SIGTERM) == Phase::kDraining);
  CHECK(state.on_signal(SIGCHLD) == Phase::kDraining);
  CHECK(state.on_signal(SIGINT) == Phase::kForced);
  CHECK(state.on_signal(SIGTERM) == Phase::kForced);
  CHECK(state.phase() == Phase::kForced);
}
