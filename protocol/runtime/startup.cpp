#include "protocol/runtime/startup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <utility>
#include <vector>

namespace genai::runtime {
namespace {

std::vector<int>& inherited() {
  static std::vector<int> all;
  return all;
}

/// Without /proc none are found: then they are kept, but not passed on.
void find_inherited() {
  DIR* const folder = opendir("/proc/self/fd");
  if (!folder) return;
  while (const dirent* entry = readdir(folder))
    if (const int fd = std::atoi(entry->d_name); fd > STDERR_FILENO && fd != dirfd(folder))
      inherited().push_back(fd);
  closedir(folder);
}

/// open() gives the lowest number, so the lower ones must be there already.
void occupy(int fd) {
  if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) return;
  // The wrong way round: what is read from nowhere, or written to nowhere, should be an error.
  if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) open("/", O_PATH);
}

/// Not what somebody else cares for: a profiler's SIGPROF, for one.
void ignore_unless_caught(int signo) {
  struct sigaction action {};
  if (sigaction(signo, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = SIG_IGN;
  sigaction(signo, &action, nullptr);
}

void ignore_signals(Role role) {
  ignore_unless_caught(SIGXFSZ);
  if (role != Role::kDaemon) return;
  for (const int signo :
       {SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGTTIN, SIGTTOU})
    ignore_unless_caught(signo);
  for (int signo = SIGRTMIN; signo <= SIGRTMAX; ++signo) ignore_unless_caught(signo);
}

void keep_owners_rights() {
  const mode_t given = umask(077);
  umask(given & ~mode_t{0700});
}

}  // namespace

void prepare_process(Role role) {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) occupy(fd);
  find_inherited();
  close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  keep_owners_rights();
  ignore_signals(role);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_inherited() {
  for (const int fd : std::exchange(inherited(), {})) close(fd);
}

}  // namespace genai::runtime
