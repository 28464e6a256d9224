// Real commands. Nothing waits for time to pass: whatever is awaited is awaited on a condition.
#include "tools/node/exec_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/temp_folder.h"
#include "tools/node/exec_handler.h"

namespace genai::node {
namespace {

using namespace std::chrono_literals;
using genai::test::TempFolder;
using Kind = TaskResult::Kind;

Command command_of(std::string text, std::string payload = {}) {
  Command command;
  command.text = std::move(text);
  command.payload = std::move(payload);
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

TaskResult run(const std::string& text, std::string payload = {}) {
  return run_command(command_of(text, std::move(payload)), -1, {});
}

/// Opens a fifo's reading end: readable-with-end-of-file when its last writer has died.
struct Fifo {
  explicit Fifo(const std::string& path) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(fd >= 0);
  }
  ~Fifo() { close(fd); }
  /// Waits until somebody has written, or until all writers are gone.
  bool wait_line() const {
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
  int fd;
};

TEST_CASE("stdin comes back on stdout, byte for byte, however large") {
  std::string payload;
  for (std::size_t i = 0; i < 8'000'000; ++i) payload += static_cast<char>(i * 2654435761u >> 13);
  const TaskResult result = run("cat", payload);
  CHECK(result.kind == Kind::kOk);
  CHECK(result.data == payload);
}

TEST_CASE("large data on all outputs at once, stdin unread") {
  const TaskResult result = run(
      "head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero >&3 & head -c 3000000 /dev/zero; "
      "wait",
      std::string(1'000'000, 'x'));
  CHECK(result.kind == Kind::kOk);
  CHECK(result.data.size() == 3'000'000);
}

TEST_CASE("no output is an empty result with the content type given") {
  Command command = command_of("true");
  command.content_type = "image/png";
  const TaskResult result = run_command(command, -1, {});
  CHECK(result.kind == Kind::kOk);
  CHECK(result.data.empty());
  CHECK(result.content_type == "image/png");
}

TEST_CASE("another exit code is an error with the last lines of stderr") {
  const TaskResult result = run("seq 1 1000 >&2; echo lost; exit 3");
  CHECK(result.kind == Kind::kError);
  CHECK(result.exit_code == 3);
  CHECK(result.error_text.starts_with("exit code 3: 981\n982\n"));
  CHECK(result.error_text.ends_with("\n1000"));
}

TEST_CASE("a long line on stderr is cut at its beginning, wrong bytes are replaced") {
  const TaskResult result =
      run("head -c 100000 /dev/zero | tr '\\0' x >&2; printf 'end\\377' >&2; exit 1");
  CHECK(result.error_text.size() <= 4096);
  CHECK(result.error_text.ends_with("xend\xef\xbf\xbd"));
}

TEST_CASE("a command that cannot be found, and one that is killed") {
  const TaskResult missing = run("no-such-command-here");
  CHECK(missing.exit_code == 127);
  CHECK(missing.error_text.find("no-such-command-here") != std::string::npos);
  const TaskResult killed = run("kill -9 $$");
  CHECK(killed.exit_code == 137);
  CHECK(killed.error_text.find("signal 9") != std::string::npos);
}

TEST_CASE("a result file that is not empty counts instead of stdout") {
  CHECK(run("echo log; printf picture >\"$GENAI_RESULT_FILE\"").data == "picture");
  CHECK(run("printf out; : >\"$GENAI_RESULT_FILE\"").data == "out");
  const TaskResult strange = run("mkdir \"$GENAI_RESULT_FILE\"");
  CHECK(strange.kind == Kind::kError);
  CHECK(strange.error_text.find("result file") != std::string::npos);
}

TEST_CASE("the scratch directory is under TMPDIR, private, and gone afterwards") {
  const TempFolder temp;
  const char* before = std::getenv("TMPDIR");
  const std::string saved = before ? before : "";
  setenv("TMPDIR", temp.path.c_str(), 1);
  const TaskResult result =
      run("dirname \"$GENAI_RESULT_FILE\"; stat -c %a \"$(dirname \"$GENAI_RESULT_FILE\")\"; "
          "touch \"$GENAI_RESULT_FILE.other\"");
  if (before)
    setenv("TMPDIR", saved.c_str(), 1);
  else
    unsetenv("TMPDIR");
  CHECK(result.data.starts_with(temp.path + "/"));
  CHECK(result.data.ends_with("\n700\n"));
  CHECK(std::filesystem::is_empty(temp.path));
}

TEST_CASE("a result over the limit ends the task with a clear error") {
  const TaskResult out = run("cat /dev/zero");
  CHECK(out.kind == Kind::kError);
  CHECK(out.error_text == "the result is larger than the limit of 50331648 bytes");
  const TaskResult file = run("truncate -s 50331649 \"$GENAI_RESULT_FILE\"");
  CHECK(file.error_text == out.error_text);
}

TEST_CASE("progress lines on descriptor 3") {
  std::vector<std::pair<double, std::string>> seen;
  const TaskResult result = run_command(
      command_of("test \"$GENAI_PROGRESS_FD\" = 3 || exit 9; echo '0.25 a b' >&3; "
                 "echo nonsense >&3; echo 2 >&3; echo 1 >&3; printf '0.5 no newline' >&3"),
      -1, [&](double fraction, std::string_view text) { seen.emplace_back(fraction, text); });
  CHECK(result.kind == Kind::kOk);
  CHECK(seen == std::vector<std::pair<double, std::string>>{{0.25, "a b"}, {1, ""}});
}

TEST_CASE("a command tells what loading took and what is in memory") {
  const TaskResult result =
      run("echo 'load_ms 12000' >&3; echo 'loaded sd xl' >&3; echo 'loaded flux' >&3; "
          "echo loaded >&3; echo 'load_ms x' >&3; echo 0.5 >&3");
  CHECK(result.kind == Kind::kOk);
  CHECK(result.load_ms == 12'000);
  CHECK(result.loaded_models == std::vector<std::string>{"sd xl", "flux"});
  CHECK(run("true").load_ms == 0);
  CHECK_FALSE(run("true").loaded_models);
}

TEST_CASE("nothing but the given descriptors and variables is inherited") {
  const int leak = eventfd(0, 0);  // not closed on exec
  const TaskResult result = run("ls /proc/self/fd | tr '\\n' ' '; env | cut -d= -f1 | sort");
  close(leak);
  // 4 is the directory that ls reads.
  CHECK(result.data == "0 1 2 3 4 GENAI_PROGRESS_FD\nGENAI_RESULT_FILE\nPATH\nPWD\n");
}

TEST_CASE("abort ends the whole process group, grandchildren too") {
  const TempFolder temp;
  const Fifo fifo(temp / "fifo");
  const int abort_fd = eventfd(0, EFD_CLOEXEC);
  const std::string path = temp / "fifo";
  // The grandchild ignores SIGTERM and holds the fifo open until it dies.
  const Command command = command_of("(trap '' TERM; exec 9>" + path +
                                     "; echo 0 >&3; while :; do sleep 100; done) & wait");
  const TaskResult result =
      run_command(command, abort_fd, [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
  close(abort_fd);
  CHECK(result.kind == Kind::kError);
  CHECK(result.error_text == "aborted");
  CHECK(fifo.wait_end());
}

TEST_CASE("a command that ignores SIGTERM is killed after the grace") {
  const int abort_fd = eventfd(0, EFD_CLOEXEC);
  const TaskResult result =
      run_command(command_of("trap '' TERM; echo 0 >&3; while :; do sleep 100; done"), abort_fd,
                  [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
  close(abort_fd);
  CHECK(result.error_text == "aborted");
}

TEST_CASE("the time limit") {
  Command command = command_of("while :; do sleep 100; done");
  command.time_limit = 50ms;
  const TaskResult result = run_command(command, -1, {});
  CHECK(result.kind == Kind::kError);
  CHECK(result.error_text == "time limit of 0.05 s exceeded");
}

TEST_CASE("what a command leaves behind ends with it") {
  const TempFolder temp;
  const Fifo fifo(temp / "fifo");
  const TaskResult result =
      run("(exec 9>" + (temp / "fifo") + "; echo 0 >&9; while :; do sleep 100; done) & head -c1 <" +
          (temp / "fifo") + " >/dev/null; printf done");
  CHECK(result.data == "done");
  CHECK(fifo.wait_end());
}

TEST_CASE("when the node is killed, command, grandchildren and scratch directory go too") {
  const TempFolder temp;
  const TempFolder scratch;
  const Fifo fifo(temp / "fifo");
  const std::string text = "(exec 9>" + (temp / "fifo") +
                           "; echo 0 >&9; while :; do sleep 100; done) & touch "
                           "\"$GENAI_RESULT_FILE\"; while :; do sleep 100; done";
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // to see the end of all that the killed one leaves
  const pid_t node = fork();
  REQUIRE(node >= 0);
  if (node == 0) {
    setenv("TMPDIR", scratch.path.c_str(), 1);
    run(text);
    _exit(0);
  }
  CHECK(fifo.wait_line());
  kill(node, SIGKILL);
  CHECK(fifo.wait_end());
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  CHECK(std::filesystem::is_empty(scratch.path));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("the environment of a task") {
  Task task;
  task.id = "t1";
  task.attempt = 2;
  task.model = "sdxl";
  task.params = {{"steps", std::int64_t{20}},
                 {"cfg.scale", 7.5},
                 {"CFG_SCALE", 8.0},
                 {"hires", true},
                 {"prompt", std::string("a \"cat\" = 1")},
                 {"nul", std::string("a\0b", 3)}};
  const char* inherited[] = {"PATH=/bin", "GENAI_NODE_BROKER=secret", nullptr};
  CHECK(task_environment(task, inherited) ==
        std::vector<std::string>{"PATH=/bin", "GENAI_TASK_ID=t1", "GENAI_ATTEMPT=2",
                                 "GENAI_MODEL=sdxl", "GENAI_LABEL=", "GENAI_PARAM_CFG_SCALE=8",
                                 "GENAI_PARAM_HIRES=true", "GENAI_PARAM_PROMPT=a \"cat\" = 1",
                                 "GENAI_PARAM_STEPS=20"});
}

TEST_CASE("the smaller time limit counts, 0 is none") {
  Task task;
  CHECK(effective_time_limit(task, 0s) == 0ms);
  CHECK(effective_time_limit(task, 2s) == 2s);
  task.time_limit_ms = 1500;
  CHECK(effective_time_limit(task, 0s) == 1500ms);
  CHECK(effective_time_limit(task, 2s) == 1500ms);
  CHECK(effective_time_limit(task, 1s) == 1s);
}

}  // namespace
}  // namespace genai::node
