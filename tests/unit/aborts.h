// Runs code that must abort in a process of its own, and reads what it says before that.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

namespace genai::test {

struct Death {
  bool aborted = false;  // by SIGABRT; false also when the code came to its end
  std::string said;      // on stderr
};

/// The code runs in a copy of this process: what it changes is seen only by itself.
template <class Code>
Death death_of(Code code) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // the test runner has a handler of its own
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    try {
      code();
    } catch (...) {
    }
    _exit(0);
  }
  close(ends[1]);
  Death death;
  char buffer[4096];
  for (;;) {
    const ssize_t bytes = read(ends[0], buffer, sizeof buffer);
    if (bytes > 0)
      death.said.append(buffer, static_cast<std::size_t>(bytes));
    else if (bytes == 0 || errno != EINTR)
      break;
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  death.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  return death;
}

}  // namespace genai::test
