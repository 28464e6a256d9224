// The child of a threaded process may only make async-signal-safe calls: no allocation below fork.
#include "tools/node/supervisor.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "protocol/process/signals.h"

extern "C" {  // glibc 2.36's header does not say so itself
#include <sys/pidfd.h>
}

namespace genai::node {
namespace {

constexpr int kProgressFd = 3;
constexpr int kControlFd = 4;
constexpr int kCommandFds = 4;          // 0 to 3
constexpr int kFirstFreeFd = 10;        // above all fixed numbers
constexpr int kCannotStart = 127 << 8;  // the wait status of a shell that cannot be executed

struct Plan {
  char* const* argv;
  char* const* envp;
  const char* scratch_file;
  const char* scratch_dir;
};

/// Puts descriptors at 0, 1, 2, ... and closes all others.
bool arrange_fds(const int* fds, int count) {
  int high[kControlFd + 1];
  for (int i = 0; i < count; ++i) {
    high[i] = fcntl(fds[i], F_DUPFD, kFirstFreeFd);
    if (high[i] < 0) return false;
  }
  for (int i = 0; i < count; ++i)
    if (dup2(high[i], i) < 0) return false;
  return close_range(static_cast<unsigned>(count), ~0u, 0) == 0;
}

[[noreturn]] void run_command(const Plan& plan, pid_t supervisor) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(127);  // it died before it could be watched
  process::restore_default_signals();
  close(kControlFd);
  execve("/bin/sh", plan.argv, plan.envp);
  _exit(127);
}

[[noreturn]] void report_and_exit(int status) {
  [[maybe_unused]] const auto sent = send(kControlFd, &status, sizeof status, MSG_NOSIGNAL);
  _exit(0);
}

/// Ends the group whose leader has ended or is not wanted; returns the leader's status.
int finish_group(pid_t leader) {
  // Not reaped yet, so the number cannot belong to anyone else.
  kill(-leader, SIGKILL);
  int status = kCannotStart;
  while (waitpid(leader, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

[[noreturn]] void abandon(const Plan& plan, pid_t leader) {
  finish_group(leader);
  unlink(plan.scratch_file);
  rmdir(plan.scratch_dir);
  _exit(1);
}

[[noreturn]] void supervise(const Plan& plan, pid_t leader) {
  for (int fd = 0; fd < kCommandFds; ++fd) close(fd);  // else their readers would see no end
  const int leader_fd = pidfd_open(leader, 0);
  if (leader_fd < 0) report_and_exit((finish_group(leader), kCannotStart));
  pollfd waits[] = {{kControlFd, POLLIN, 0}, {leader_fd, POLLIN, 0}};
  int timeout_ms = -1;
  for (;;) {
    const int ready = poll(waits, 2, timeout_ms);
    if (ready < 0) continue;  // EINTR
    if (ready == 0) {         // the grace is over
      kill(-leader, SIGKILL);
      timeout_ms = -1;
    }
    if (waits[1].revents) report_and_exit(finish_group(leader));
    if (!waits[0].revents) continue;
    char byte = 0;
    if (recv(kControlFd, &byte, 1, 0) <= 0) abandon(plan, leader);
    kill(-leader, SIGTERM);
    timeout_ms = static_cast<int>(kKillGrace.count());
  }
}

[[noreturn]] void run_supervisor(const Plan& plan, const int (&fds)[kControlFd + 1]) {
  // In a session of its own no signal for genai-node's group or terminal ends the watch.
  setsid();
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take the status away
  prctl(PR_SET_NAME, "genai-task");
  if (!arrange_fds(fds, kControlFd + 1)) _exit(1);
  const pid_t self = getpid();
  const pid_t leader = fork();
  if (leader < 0) report_and_exit(kCannotStart);
  if (leader == 0) run_command(plan, self);
  setpgid(leader, leader);  // here too: whoever comes first
  supervise(plan, leader);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Supervised start_supervised(const std::string& command, const std::vector<std::string>& environment,
                            const ChildFds& fds, const std::string& scratch_file,
                            const std::string& scratch_dir) {
  const std::vector<std::string> arguments{"sh", "-c", command};
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  const Plan plan{argv.data(), envp.data(), scratch_file.c_str(), scratch_dir.c_str()};
  int control[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  const int all[kControlFd + 1] = {fds.in, fds.out, fds.err, fds.progress, control[1]};
  static_assert(kProgressFd == 3);
  const pid_t pid = fork();
  if (pid == 0) run_supervisor(plan, all);
  const int error = errno;
  close(control[1]);
  if (pid < 0) {
    close(control[0]);
    throw std::system_error(error, std::generic_category(), "fork");
  }
  return {pid, control[0]};
}

}  // namespace genai::node
