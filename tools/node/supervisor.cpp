// The child of a threaded process may only make async-signal-safe calls: no allocation below fork.
#include "tools/node/supervisor.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "protocol/runtime/signals.h"
#include "tools/node/processes.h"
#include "tools/node/scratch.h"

namespace genai::node {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kProgressFd = 3;
constexpr int kControlFd = 4;
constexpr int kScratchFd = 5;  // holds the lock of the scratch folder
constexpr int kFds = 6;
constexpr int kFirstFreeFd = 10;  // above all fixed numbers

struct Plan {
  char* const* argv;
  char* const* envp;
  char* const* remove_argv;  // of /bin/rm, for the scratch folder
};

/// Puts descriptors at 0, 1, 2, ... and closes all others.
bool arrange_fds(const int (&fds)[kFds]) {
  int high[kFds];
  for (int i = 0; i < kFds; ++i) {
    high[i] = fcntl(fds[i], F_DUPFD, kFirstFreeFd);
    if (high[i] < 0) return false;
  }
  for (int i = 0; i < kFds; ++i)
    if (dup2(high[i], i) < 0) return false;
  for (const int fd : {kControlFd, kScratchFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return close_range(kFds, ~0u, 0) == 0;
}

void report(int control, const CommandEnd& end) {
  [[maybe_unused]] const auto sent = send(control, &end, sizeof end, MSG_NOSIGNAL);
}

[[noreturn]] void run_command(const Plan& plan, pid_t supervisor) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(127);  // it died before it could be watched
  runtime::restore_default_signals();
  execve("/bin/sh", plan.argv, plan.envp);
  report(kControlFd, {.start_error = errno});
  _exit(127);
}

/// Signals all that is below this process, and returns how many took it. Whoever is born meanwhile
/// may be missed.
std::size_t signal_descendants(int signo) {
  constexpr std::size_t kMaxKnown = 1024;  // children of further ones are found once they are ours
  pid_t known[kMaxKnown] = {getpid()};
  std::size_t count = 1, took = 0;
  const auto is_known = [&](pid_t pid) {
    return std::find(known, known + count, pid) != known + count;
  };
  for (std::size_t before = 0; before != count;) {
    before = count;
    Processes all;
    for (Processes::Entry entry; all.next(entry);) {
      if (!is_known(entry.parent) || is_known(entry.pid)) continue;
      // A zombie too: its other threads may live. Only what lives for sure is counted.
      if (kill(entry.pid, signo) == 0 && !entry.is_zombie) ++took;
      if (count < kMaxKnown) known[count++] = entry.pid;
    }
  }
  return took;
}

/// The supervisor's life. Made by the process that it lives in, which has no other thread.
class Watch {
 public:
  Watch(pid_t leader, int children) : leader_(leader), children_(children) {}

  /// Returns when nothing is left of the command; false when genai-node has died.
  bool run() {
    std::optional<Clock::time_point> kill_at;
    bool abandoned = false;
    while (reap() && !abandoned) {
      if (kill_at ? Clock::now() >= *kill_at : leader_ended_) break;
      pollfd waits[] = {{kControlFd, POLLIN, 0}, {children_, POLLIN, 0}};
      if (poll(waits, 2, kill_at ? ms_until(*kill_at) : -1) <= 0 || !waits[0].revents) continue;
      char byte = 0;
      abandoned = recv(kControlFd, &byte, 1, 0) <= 0;
      if (abandoned || kill_at) continue;
      kill_at = Clock::now() + kKillGrace;
      signal_all(SIGTERM);
    }
    end_rest();
    return !abandoned;
  }

  CommandEnd end() const { return end_; }
  bool left_somebody() const { return left_somebody_; }

 private:
  static int ms_until(Clock::time_point when) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  /// True when somebody took it. Without /proc only the command's own group can be found.
  bool signal_all(int signo) const {
    return has_proc_ ? signal_descendants(signo) > 0 : kill(-leader_, signo) == 0;
  }

  /// Takes the status of every child that has ended; false when there is no child any more.
  bool reap() {
    signalfd_siginfo ignored;
    while (read(children_, &ignored, sizeof ignored) > 0) {
    }
    for (;;) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid == leader_) {
        leader_ended_ = true;
        end_.status = status;
      }
      if (pid == 0) return true;
      if (pid < 0 && errno != EINTR) return false;
    }
  }

  /// Kills until nobody is left. Gives up on those who may not be signalled (they run as another
  /// user), or not be found (no /proc).
  void end_rest() {
    auto took_at = Clock::now();
    for (int wait_ms = 1; reap(); wait_ms = std::min(2 * wait_ms, 200)) {
      if (signal_all(SIGKILL)) took_at = Clock::now();
      left_somebody_ = Clock::now() - took_at > kKillGrace;
      if (left_somebody_) return;
      pollfd wait{children_, POLLIN, 0};
      poll(&wait, 1, wait_ms);
    }
  }

  const pid_t leader_;
  const int children_;  // a signalfd: readable after SIGCHLD
  const bool has_proc_ = access("/proc/self/stat", R_OK) == 0;
  CommandEnd end_;
  bool leader_ended_ = false;
  bool left_somebody_ = false;
};

[[noreturn]] void supervise(const Plan& plan, pid_t leader, int children) {
  for (int fd = 0; fd <= kProgressFd; ++fd) close(fd);  // else their readers would see no end
  Watch watch(leader, children);
  if (watch.run()) {
    report(kControlFd, watch.end());
  } else {
    // It holds the lock of the folder as long as it works. Whatever it fails to remove, the next
    // node sweeps.
    char* const no_environment[] = {nullptr};
    fcntl(kScratchFd, F_SETFD, 0);
    runtime::restore_default_signals();
    execve("/bin/rm", plan.remove_argv, no_environment);
  }
  _exit(watch.left_somebody() ? 1 : 0);
}

[[noreturn]] void run_supervisor(const Plan& plan, const int (&fds)[kFds]) {
  // In a session of its own, and with all signals blocked, no signal for genai-node's group or
  // terminal ends the watch.
  setsid();
  sigset_t signals;
  sigfillset(&signals);
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take the status away
  prctl(PR_SET_NAME, "genai-task");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGCONT);  // if its command has stopped it, it still has to end that
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  const auto give_up = [](int control) {
    report(control, {.start_error = errno});
    _exit(0);
  };
  if (!arrange_fds(fds)) give_up(fds[kControlFd]);
  const int children = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (children < 0) give_up(kControlFd);
  const pid_t self = getpid();
  const pid_t leader = fork();
  if (leader < 0) give_up(kControlFd);
  if (leader == 0) run_command(plan, self);
  setpgid(leader, leader);  // here too: whoever comes first
  supervise(plan, leader, children);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// The children of this process: supervisors, and what killed supervisors have left.
class Household {
 public:
  void adopt() {
    const std::lock_guard lock(mutex_);
    if (has_strangers()) return;
    adopts_ = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  }

  /// Under the lock, so that a sweep on another thread takes no new supervisor for a stranger.
  template <class Child>
  pid_t fork_supervisor(Child child) {
    const std::lock_guard lock(mutex_);
    const pid_t pid = fork();
    if (pid == 0) child();
    const int error = errno;
    if (pid > 0) supervisors_.insert(pid);
    errno = error;
    return pid;
  }

  void finish(pid_t supervisor) {
    siginfo_t info;
    while (waitid(P_PID, static_cast<id_t>(supervisor), &info, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
    const std::lock_guard lock(mutex_);
    int status = 0;
    waitpid(supervisor, &status, 0);
    supervisors_.erase(supervisor);
    // For those that it could not kill before, no task waits once more.
    if (adopts_ && (status != 0 || has_left_))
      has_left_ = !sweep(status != 0 ? kKillGrace : Clock::duration(0));
  }

 private:
  bool is_stranger(const Processes::Entry& entry, pid_t self) const {
    return entry.parent == self && !supervisors_.contains(entry.pid);
  }
  bool has_strangers() const {
    Processes all;
    for (Processes::Entry entry; all.next(entry);)
      if (is_stranger(entry, getpid())) return true;
    return false;
  }

  /// Kills and reaps all strangers; whoever was below them becomes one in turn. False when some
  /// are left after `patience`: they run as another user, say.
  bool sweep(Clock::duration patience) {
    const pid_t self = getpid();
    const auto give_up_at = Clock::now() + patience;
    for (;;) {
      bool found = false;
      Processes all;
      for (Processes::Entry entry; all.next(entry);) {
        if (!is_stranger(entry, self)) continue;
        found = true;
        kill(entry.pid, SIGKILL);
        waitpid(entry.pid, nullptr, WNOHANG);
      }
      if (!found) return true;
      if (Clock::now() >= give_up_at) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::mutex mutex_;
  std::set<pid_t> supervisors_;
  bool adopts_ = false;
  bool has_left_ = false;  // strangers that could not be killed: they are reaped later
};

Household& household() {
  static Household one;
  return one;
}

}  // namespace

Supervised start_supervised(const std::string& command, const std::vector<std::string>& environment,
                            const ChildFds& fds, const Scratch& scratch) {
  const std::vector<std::string> arguments{"sh", "-c", command};
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  const std::vector<std::string> remove{"rm", "-rf", "--", scratch.path()};
  const auto remove_argv = pointers(remove);
  const Plan plan{argv.data(), envp.data(), remove_argv.data()};
  int control[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  const int all[kFds] = {fds.in, fds.out, fds.err, fds.progress, control[1], scratch.lock_fd()};
  static_assert(kProgressFd == 3 && kControlFd == 4 && kScratchFd == 5);
  const pid_t pid = household().fork_supervisor([&] { run_supervisor(plan, all); });
  const int error = errno;
  close(control[1]);
  if (pid < 0) {
    close(control[0]);
    throw std::system_error(error, std::generic_category(), "fork");
  }
  return {pid, control[0]};
}

void finish_supervised(const Supervised& supervised) { household().finish(supervised.pid); }

void adopt_orphans() { household().adopt(); }

}  // namespace genai::node
