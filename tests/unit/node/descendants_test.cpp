// Whatever a command has started ends with it. Each program that tries to escape holds a fifo open
// until it dies; nothing waits for time to pass.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/temp_folder.h"
#include "tools/node/exec_runner.h"
#include "tools/node/processes.h"
#include "tools/node/scratch.h"
#include "tools/node/supervisor.h"

namespace genai::node {
namespace {

using namespace std::chrono_literals;
using genai::test::TempFolder;
using Kind = TaskResult::Kind;

TaskResult run(const std::string& text, int abort_fd = -1, const ProgressCallback& progress = {}) {
  Command command;
  command.text = text;
  command.environment = {"PATH=/usr/bin:/bin"};
  return run_command(command, abort_fd, progress);
}

/// A fifo's reading end: at its end of file when the last writer has died.
struct Fifo {
  explicit Fifo(std::string name) : path(std::move(name)) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(fd >= 0);
  }
  ~Fifo() { close(fd); }
  bool wait_byte() const {
    pollfd wait{fd, POLLIN, 0};
    char byte = 0;
    return poll(&wait, 1, 20'000) == 1 && read(fd, &byte, 1) == 1;
  }
  bool wait_end() const {
    char buffer[64];
    for (;;) {
      pollfd wait{fd, POLLIN, 0};
      if (poll(&wait, 1, 20'000) != 1) return false;
      if (read(fd, buffer, sizeof buffer) == 0) return true;
    }
  }
  const std::string path;
  int fd;
};

/// Starts a program in each of the ways that lead out of a process group, or further.
const char* const kEscapes[] = {
    "",
    "timeout 300",
    "nice timeout 300",
    "setsid",
    "env -i setsid nohup",
    "setsid timeout 300 setsid",
    "setsid sh -c '\"$@\" & exit' sh",  // its parent ends: a daemon
    "sh -c '(trap \"\" HUP INT; \"$@\" &) &' sh setsid",
};

/// Writes a byte to the fifo, and holds it. `on_start` is for the shell, too.
std::string escaping(const std::string& how, const Fifo& fifo, const std::string& on_start = ":") {
  return how + " sh -c 'exec 9>\"$1\"; echo >&9; " + on_start +
         "; while :; do sleep 100; done' sh " + fifo.path + " 3>&3 &";
}

constexpr char kForEver[] = " while :; do sleep 100; done";

/// A process of its own for what it does to itself: it adopts, it is killed.
template <class Body>
pid_t start_child(Body body) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) _exit(body());
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return status;
}

TEST_CASE("a cancelled command takes with it whatever it has started") {
  for (const std::string how : kEscapes) {
    INFO(how);
    const TempFolder temp;
    const Fifo fifo(temp / "fifo");
    const int abort_fd = eventfd(0, EFD_CLOEXEC);
    const TaskResult result = run(escaping(how, fifo, "echo 0 >&3") + kForEver, abort_fd,
                                  [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
    close(abort_fd);
    CHECK(result.error_text == "aborted");
    CHECK(fifo.wait_end());
  }
}

TEST_CASE("programs that ignore SIGTERM, and are stopped, end all the same") {
  const TempFolder temp;
  const Fifo fifo(temp / "fifo");
  const int abort_fd = eventfd(0, EFD_CLOEXEC);
  const TaskResult result =
      run(escaping("setsid", fifo, "trap \"\" TERM; echo 0 >&3; kill -STOP $$") + kForEver,
          abort_fd, [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
  close(abort_fd);
  CHECK(result.error_text == "aborted");
  CHECK(fifo.wait_end());
}

TEST_CASE("what a command leaves behind when it ends, ends with it") {
  for (const std::string how : kEscapes) {
    INFO(how);
    const TempFolder temp;
    const Fifo fifo(temp / "fifo");
    const TaskResult result =
        run(escaping(how, fifo) + " head -c1 <" + fifo.path + " >/dev/null; printf done");
    CHECK(result.kind == Kind::kOk);
    CHECK(result.data == "done");
    CHECK(fifo.wait_end());
  }
}

TEST_CASE("a program that is always another process is caught") {
  const TempFolder temp;
  const Fifo fifo(temp / "fifo");
  // Bounded, so that nothing runs on for ever if it is not.
  const TaskResult result =
      run("exec 9>" + fifo.path + "; perl -e 'for (1..50000) { exit if fork } open F, \">\", \"" +
          (temp / "escaped") + "\"' & sleep 0.1; printf done");
  CHECK(result.data == "done");
  CHECK(fifo.wait_end());
  CHECK_FALSE(std::filesystem::exists(temp / "escaped"));
}

TEST_CASE("orphans of a running command do not stay as zombies") {
  Command command;
  command.environment = {"PATH=/usr/bin:/bin"};
  command.time_limit = 20s;
  command.text =
      "for i in 1 2 3 4 5; do sh -c '(exit) & (exit) &'; done; "
      "while cat /proc/[0-9]*/stat 2>/dev/null | grep -q \") Z $PPID \"; do sleep 0.01; done; "
      "printf none";
  CHECK(run_command(command, -1, {}).data == "none");
}

TEST_CASE("who kills the node kills the command, all that it has started, and the scratch folder") {
  for (const std::string how : kEscapes) {
    INFO(how);
    const TempFolder temp, scratch;
    const Fifo fifo(temp / "fifo");
    const pid_t node = start_child([&] {
      setenv("TMPDIR", scratch.path.c_str(), 1);
      run(escaping(how, fifo) +
          " touch \"$GENAI_RESULT_FILE\"; cd \"$GENAI_RESULT_DIR\"; mkdir a; touch a/b;" +
          kForEver);
      return 0;
    });
    CHECK(fifo.wait_byte());
    kill(node, SIGKILL);
    status_of(node);
    CHECK(fifo.wait_end());
    // The supervisor holds the folder's lock until it has removed it.
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path)) {
      const int fd = open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd >= 0) flock(fd, LOCK_EX);
      close(fd);
    }
    CHECK(std::filesystem::is_empty(scratch.path));
  }
}

TEST_CASE("who kills the supervisor kills the command and all that it has started") {
  for (const std::string how : kEscapes) {
    INFO(how);
    const TempFolder temp;
    const Fifo fifo(temp / "fifo");
    const pid_t node = start_child([&] {
      adopt_orphans();
      const TaskResult result = run(escaping(how, fifo) + " head -c1 <" + fifo.path +
                                    " >/dev/null; kill -9 $PPID;" + kForEver);
      if (result.error_text != "the command's supervisor died") return 1;
      // Dead and reaped: no child is left.
      return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD ? 0 : 2;
    });
    CHECK(status_of(node) == 0);
    CHECK(fifo.wait_end());
  }
}

TEST_CASE("other tasks go on when a supervisor is killed") {
  const TempFolder temp;
  const Fifo started(temp / "started"), killed(temp / "killed");
  const pid_t node = start_child([&] {
    adopt_orphans();
    std::string other;
    std::thread thread([&] {
      other = run("echo >" + started.path + "; until test -e " + (temp / "go") +
                  "; do sleep 0.01; done; printf good")
                  .data;
    });
    if (!started.wait_byte()) return 1;
    run(escaping("setsid", killed) + " head -c1 <" + killed.path + " >/dev/null; kill -9 $PPID;" +
        kForEver);
    std::ofstream(temp / "go") << "go\n";
    thread.join();
    return other == "good" ? 0 : 2;
  });
  CHECK(status_of(node) == 0);
}

TEST_CASE("a node that was started with children spares them when a supervisor is killed") {
  const TempFolder temp;
  const Fifo helper(temp / "helper"), escaped(temp / "escaped");
  const pid_t node = start_child([&] {
    const pid_t child = fork();
    if (child == 0) {
      const std::string text = "exec 9>" + helper.path + "; echo >&9; exec sleep 100";
      execl("/bin/sh", "sh", "-c", text.c_str(), nullptr);
      _exit(1);
    }
    if (!helper.wait_byte()) return 1;
    adopt_orphans();
    run(escaping("setsid", escaped) + " head -c1 <" + escaped.path + " >/dev/null; kill -9 $PPID;" +
        kForEver);
    if (waitpid(child, nullptr, WNOHANG) != 0) return 2;
    kill(child, SIGKILL);
    return 0;
  });
  CHECK(status_of(node) == 0);
  CHECK(escaped.wait_end());
}

TEST_CASE("the next start removes what a killed node and supervisor left, and ends its programs") {
  const TempFolder temp, scratch;
  setenv("TMPDIR", scratch.path.c_str(), 1);
  const Fifo fifo(temp / "fifo");
  const pid_t node = start_child([&] {
    run(escaping("setsid", fifo, "echo $GENAI_RESULT_FILE >" + (temp / "file") + "; echo >&9") +
        " echo $PPID >" + (temp / "supervisor") + "; while :; do sleep 100; done");
    return 0;
  });
  CHECK(fifo.wait_byte());
  CHECK(fifo.wait_byte());
  pid_t supervisor = 0;
  while (supervisor == 0) std::ifstream(temp / "supervisor") >> supervisor;
  CHECK(sweep_scratch() == 0);  // they live
  kill(node, SIGSTOP);          // it must not outlive its supervisor for a moment, and tidy up
  kill(supervisor, SIGKILL);
  kill(node, SIGKILL);
  status_of(node);
  const std::string foreign = scratch / "genai-task-other";  // not the shape of ours
  std::filesystem::create_directory(foreign);
  const Scratch own;
  std::size_t swept = 0;  // the supervisor may take a moment to die
  for (int i = 0; i < 2000 && swept == 0; ++i, std::this_thread::sleep_for(10ms))
    swept = sweep_scratch();
  CHECK(swept == 1);
  unsetenv("TMPDIR");
  CHECK(fifo.wait_end());
  CHECK(std::filesystem::exists(foreign));
  CHECK(std::filesystem::exists(own.path()));
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path), {}) == 2);
}

TEST_CASE("/proc lists this process and its parent") {
  Processes all;
  bool found = false;
  for (Processes::Entry entry; all.next(entry);) {
    CHECK(entry.pid > 0);
    if (entry.pid != getpid()) continue;
    found = true;
    CHECK(entry.parent == getppid());
    CHECK_FALSE(entry.is_zombie);
  }
  CHECK(found);
}

}  // namespace
}  // namespace genai::node
