// Each case in a child of its own: what is prepared stays so for the rest of a process.
#include "protocol/runtime/startup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/unit/temp_folder.h"

using namespace genai::runtime;

namespace {

/// The wait status of a child that runs `body` and then ends with 0.
template <class Body>
int status_of(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

/// 0 when `body` says so.
template <class Body>
int answer_of(Body body) {
  return status_of([&] { _exit(body() ? 0 : 1); });
}

bool fails_with_ebadf(ssize_t result) { return result < 0 && errno == EBADF; }

}  // namespace

TEST_CASE("closed standard descriptors are taken, and stay without use") {
  const int missing = GENERATE(0, 1, 2, 3);  // 3: all
  INFO("closed: " << missing);
  CHECK(answer_of([&] {
          for (int fd = 0; fd < 3; ++fd)
            if (missing == fd || missing == 3) close(fd);
          prepare_process(Role::kDaemon);
          char c = 0;
          if (missing % 3 == 0 && !fails_with_ebadf(read(0, &c, 1))) return false;
          if (missing == 1 && !fails_with_ebadf(write(1, "x", 1))) return false;
          if (missing == 2 && !fails_with_ebadf(write(2, "x", 1))) return false;
          return open("/dev/null", O_RDONLY) > 2;
        }) == 0);
}

TEST_CASE("inherited descriptors are not passed on, and a daemon gives them up") {
  CHECK(answer_of([] {
          const int inherited = dup2(0, 77);
          prepare_process(Role::kTool);
          if (fcntl(inherited, F_GETFD) != FD_CLOEXEC) return false;
          const int own = open("/dev/null", O_RDONLY);
          close_inherited();
          return fcntl(inherited, F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0 &&
                 fcntl(own, F_GETFD) >= 0;
        }) == 0);
}

TEST_CASE("stray signals do not end a daemon") {
  const int signo = GENERATE(SIGXFSZ, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO, SIGPWR,
                             SIGSTKFLT, SIGTTIN, SIGTTOU, SIGRTMIN, SIGRTMAX);
  INFO("signal " << signo);
  CHECK(status_of([&] {
          signal(signo, SIG_DFL);
          prepare_process(Role::kDaemon);
          raise(signo);
        }) == 0);
}

TEST_CASE("a tool ends at a closed pipe like any other, but not at a file that may not grow") {
  const auto status_after = [](int signo, Role role = Role::kTool) {
    return status_of([&] {
      signal(signo, SIG_DFL);
      prepare_process(role);
      raise(signo);
    });
  };
  CHECK(WTERMSIG(status_after(SIGPIPE)) == SIGPIPE);
  CHECK(WTERMSIG(status_after(SIGPIPE, Role::kDaemon)) == SIGPIPE);  // while it reads its options
  CHECK(WTERMSIG(status_after(SIGUSR1)) == SIGUSR1);
  CHECK(status_after(SIGXFSZ) == 0);
}

TEST_CASE("a signal that a profiler has caught stays caught") {
  CHECK(answer_of([] {
          signal(SIGPROF, [](int) { _exit(0); });
          prepare_process(Role::kDaemon);
          raise(SIGPROF);
          return false;
        }) == 0);
}

TEST_CASE("signals that a parent left blocked are delivered") {
  CHECK(WTERMSIG(status_of([] {
          sigset_t all;
          sigfillset(&all);
          sigprocmask(SIG_SETMASK, &all, nullptr);
          signal(SIGTERM, SIG_DFL);  // the test runner's handler
          prepare_process(Role::kTool);
          raise(SIGTERM);
        })) == SIGTERM);
}

TEST_CASE("a file that may not grow is an error of the write") {
  const genai::test::TempFolder folder;
  CHECK(answer_of([&] {
          const rlimit limit{10, 10};
          setrlimit(RLIMIT_FSIZE, &limit);
          prepare_process(Role::kDaemon);
          const int fd = open((folder / "f").c_str(), O_WRONLY | O_CREAT, 0600);
          return write(fd, "0123456789", 10) == 10 && write(fd, "x", 1) < 0 && errno == EFBIG;
        }) == 0);
}

TEST_CASE("no umask shuts a process out of what it makes") {
  const genai::test::TempFolder folder;
  CHECK(answer_of([&] {
          umask(0777);
          prepare_process(Role::kDaemon);
          close(open((folder / "f").c_str(), O_WRONLY | O_CREAT, 0666));
          struct stat info {};
          stat((folder / "f").c_str(), &info);
          return (info.st_mode & 0777) == 0600;
        }) == 0);
  CHECK(answer_of([&] {
          umask(027);
          prepare_process(Role::kDaemon);
          return umask(0) == 027;
        }) == 0);
}
