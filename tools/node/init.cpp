#include "tools/node/init.h"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace genai::node {
namespace {

constexpr int kSignalled = 128;  // as a shell says it

/// Takes all statuses that are there; the exit code once `program` is among them.
std::optional<int> reap(pid_t program) {
  std::optional<int> exit_code;
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == program)
      exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
  return exit_code;
}

int serve_as_init(pid_t program, const sigset_t& signals) {
  for (;;) {
    if (const auto exit_code = reap(program)) return *exit_code;
    siginfo_t info;
    const int signo = sigwaitinfo(&signals, &info);
    if (signo < 0 || signo == SIGCHLD) continue;
    // A terminal sends its signals to the program too: a second one would force it.
    if (info.si_code != SI_KERNEL) kill(program, signo);
  }
}

}  // namespace

std::optional<int> become_init() {
  if (getpid() != 1) return std::nullopt;
  // Process 1 gets no signal that it does not ask for.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take the statuses away
  const pid_t program = fork();
  if (program > 0) {
    prctl(PR_SET_NAME, "genai-init");
    close_range(STDERR_FILENO + 1, ~0u, 0);
    return serve_as_init(program, all);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return std::nullopt;
}

}  // namespace genai::node
