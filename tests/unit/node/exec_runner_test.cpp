// Real commands. Nothing waits for time to pass: whatever is awaited is awaited on a condition.
#include "tools/node/exec_runner.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/unit/temp_folder.h"
#include "tools/node/exec_handler.h"
#include "tools/node/workers.h"

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

/// Sets TMPDIR for a while.
class TmpDir {
 public:
  explicit TmpDir(const std::string& path) {
    const char* before = std::getenv("TMPDIR");
    if (before) before_ = before;
    setenv("TMPDIR", path.c_str(), 1);
  }
  ~TmpDir() { before_ ? setenv("TMPDIR", before_->c_str(), 1) : unsetenv("TMPDIR"); }

 private:
  std::optional<std::string> before_;
};

/// Runs `body` in a child process and returns what it returns, 0 to 255.
template <class Body>
int in_child(Body body) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) _exit(body());
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

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

TEST_CASE("an exit code says that the command was not found, or by what it was killed") {
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

TEST_CASE("files in the result folder count before a result file, and that before stdout") {
  const TaskResult both =
      run("echo log; printf file >\"$GENAI_RESULT_FILE\"; cd \"$GENAI_RESULT_DIR\" && mkdir m && "
          "printf mask >m/1.txt && printf cat >cat.png && echo '{\"seed\":7}' >cat.png.meta.json");
  CHECK(both.kind == Kind::kOk);
  REQUIRE(both.files.size() == 2);
  CHECK(both.files[0].name == "cat.png");
  CHECK(both.files[0].data == "cat");
  CHECK(both.files[0].metadata.at("seed") == Param(std::int64_t{7}));
  CHECK(both.files[1].name == "m/1.txt");
  CHECK(both.files[1].data == "mask");
  const TaskResult none =
      run("echo log; printf file >\"$GENAI_RESULT_FILE\"; mkdir \"$GENAI_RESULT_DIR/empty\"; "
          "touch \"$GENAI_RESULT_DIR/.hidden\"");
  CHECK(none.files.empty());
  CHECK(none.data == "file");
  CHECK(run("printf out; rmdir \"$GENAI_RESULT_DIR\"").data == "out");
  CHECK(run("ls -A \"$GENAI_RESULT_DIR\"; stat -c %a \"$GENAI_RESULT_DIR\"").data == "700\n");
}

TEST_CASE("a wrong result folder is an error of the task, one over a limit ends it") {
  const TaskResult wrong = run("echo 1 >\"$GENAI_RESULT_DIR/$(printf 'a\\nb')\"");
  CHECK(wrong.kind == Kind::kError);
  CHECK(wrong.code == 0);
  CHECK(wrong.error_text.find("control character") != std::string::npos);
  const TaskResult large = run("truncate -s 48M \"$GENAI_RESULT_DIR/a\" \"$GENAI_RESULT_DIR/b\"");
  CHECK(large.kind == Kind::kError);
  CHECK(large.code == 505);
  const TaskResult failed = run("echo 1 >\"$GENAI_RESULT_DIR/a\"; exit 3");
  CHECK(failed.exit_code == 3);
  CHECK(failed.files.empty());
}

TEST_CASE("what a command closes to others goes all the same") {
  TempFolder folder;
  const TmpDir tmp(folder.path);
  CHECK(run("mkdir -p \"$GENAI_RESULT_DIR/a/b\"; touch \"$GENAI_RESULT_DIR/a/b/c\"; chmod 0 "
            "\"$GENAI_RESULT_DIR/a/b\" \"$GENAI_RESULT_DIR/a\"; exit 1")
            .exit_code == 1);
  CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("the scratch directory is under TMPDIR, private, and gone afterwards") {
  const TempFolder temp;
  const TmpDir tmp_dir(temp.path);
  const TaskResult result =
      run("dirname \"$GENAI_RESULT_FILE\"; stat -c %a \"$(dirname \"$GENAI_RESULT_FILE\")\"; "
          "touch \"$GENAI_RESULT_FILE.other\"");
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
  CHECK(out.code == 505);
  CHECK(file.code == 505);
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
  CHECK(result.data ==
        "0 1 2 3 4 GENAI_PROGRESS_FD\nGENAI_RESULT_DIR\nGENAI_RESULT_FILE\nPATH\nPWD\n");
}

TEST_CASE(
    "a command finds all signals as a fresh process does, whatever the node was started with") {
  CHECK(in_child([] {
          for (const int signo : {SIGINT, SIGHUP, SIGUSR1, SIGXFSZ, SIGCHLD, SIGPIPE, SIGTERM})
            signal(signo, SIG_IGN);
          sigset_t all;
          sigfillset(&all);
          sigprocmask(SIG_SETMASK, &all, nullptr);
          // grep itself, without a shell that might change some.
          const TaskResult result = run("exec grep -E '^Sig(Blk|Ign)' /proc/self/status");
          return result.data == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n" ? 0 : 1;
        }) == 0);
}

TEST_CASE("a command that ignores SIGTERM is killed after the grace") {
  const int abort_fd = eventfd(0, EFD_CLOEXEC);
  const TaskResult result =
      run_command(command_of("trap '' TERM; echo 0 >&3; while :; do sleep 100; done"), abort_fd,
                  [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
  close(abort_fd);
  CHECK(result.error_text == "aborted");
}

TEST_CASE("after SIGTERM everybody below the command has the grace, not only the command") {
  const int abort_fd = eventfd(0, EFD_CLOEXEC);
  const TempFolder temp;
  // The command itself ends at once; the other one is slow to tidy up.
  const TaskResult result =
      run_command(command_of("(trap 'sleep 0.2; echo tidy > " + (temp / "end") +
                             "; exit' TERM; echo 0 >&3; while :; do sleep 0.01; done) & wait"),
                  abort_fd, [&](double, std::string_view) { eventfd_write(abort_fd, 1); });
  close(abort_fd);
  CHECK(result.error_text == "aborted");
  CHECK(std::filesystem::exists(temp / "end"));
}

TEST_CASE("the time limit") {
  Command command = command_of("while :; do sleep 100; done");
  command.time_limit = 50ms;
  const TaskResult result = run_command(command, -1, {});
  CHECK(result.kind == Kind::kError);
  CHECK(result.error_text == "time limit of 0.05 s exceeded");
  CHECK(result.code == 503);
}

TEST_CASE("a command says that no attempt can succeed, however it ends") {
  for (const char* end : {"exit 1", "exit 0", "kill -9 $$", "exit 127"}) {
    INFO(end);
    const TaskResult result = run(std::string("echo 'impossible 3 hands' >&3; ") + end);
    CHECK(result.kind == Kind::kError);
    CHECK(result.code == 513);
    CHECK(result.error_text == "3 hands");
  }
  CHECK(run("echo impossible-things >&3; exit 1").code == 0);
}

TEST_CASE("a machine that can run nothing gives the task back without blame") {
  const TempFolder temp;
  SECTION("no scratch folder") {
    const TmpDir tmp_dir(temp / "missing");
    const TaskResult result = run("true");
    CHECK(result.kind == Kind::kReturned);
    CHECK(result.error_text ==
          "cannot make a folder in " + (temp / "missing") + ": No such file or directory");
  }
  SECTION("no descriptor") {
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit few{5, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    const TaskResult result = run("true");
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(result.kind == Kind::kReturned);
    CHECK(result.error_text.find("Too many open files") != std::string::npos);
  }
  SECTION("no process, for the supervisor or for the command") {
    if (geteuid() != 0) return;  // only root can become somebody who has no other process
    for (const rlim_t processes : {1, 2}) {
      INFO(processes);
      CHECK(in_child([&] {
              const rlimit few{processes, processes};
              if (setrlimit(RLIMIT_NPROC, &few) != 0 || setuid(54'321) != 0) return 1;
              const TaskResult result = run("true");
              if (result.kind != Kind::kReturned) return 2;
              return result.error_text.find("temporarily unavailable") == std::string::npos ? 3 : 0;
            }) == 0);
    }
  }
}

TEST_CASE("a task for which there can be no thread is given back, and the node lives") {
  if (geteuid() != 0) return;  // only root can become somebody who has no other process
  CHECK(in_child([] {
          const rlimit one{1, 1};
          if (setrlimit(RLIMIT_NPROC, &one) != 0 || setuid(54'321) != 0) return 1;
          const auto mailbox = std::make_shared<Mailbox>();
          Workers workers(
              1, answering_at_once([](const Task&, TaskContext&) { return TaskResult::ok(""); }),
              mailbox);
          workers.start({{*TaskId::parse("t1"), 1, 1}, {}, {}});
          const auto reports = mailbox->take();
          const auto* finished =
              reports.empty() ? nullptr : std::get_if<Report::Finished>(&reports[0]);
          return finished && finished->result.kind == Kind::kReturned ? 0 : 2;
        }) == 0);
}

TEST_CASE("parameters that are too long for a program are the task's fault") {
  Command command = command_of("true");
  command.environment.push_back("LONG=" + std::string(200'000, 'x'));
  const TaskResult result = run_command(command, -1, {});
  CHECK(result.kind == Kind::kError);
  CHECK(result.code == 0);
  CHECK(result.error_text.find("Argument list too long") != std::string::npos);
}

TEST_CASE("the environment of a task") {
  Task task;
  task.id = "t1";
  task.attempt = 2;
  task.model = "sdxl";
  task.params = {{"steps", std::int64_t{20}},
                 {"cfg.scale", 7.5},
                 {"hires", true},
                 {"prompt", std::string("a \"cat\" = 1")}};
  const char* inherited[] = {"PATH=/bin", "GENAI_NODE_BROKER=secret", nullptr};
  CHECK(*task_environment(task, inherited) ==
        std::vector<std::string>{"PATH=/bin", "GENAI_TASK_ID=t1", "GENAI_ATTEMPT=2",
                                 "GENAI_MODEL=sdxl", "GENAI_LABEL=", "GENAI_PARAM_CFG_SCALE=7.5",
                                 "GENAI_PARAM_HIRES=true", "GENAI_PARAM_PROMPT=a \"cat\" = 1",
                                 "GENAI_PARAM_STEPS=20"});
}

TEST_CASE("a parameter that cannot reach the command ends the task, and is named") {
  const char* inherited[] = {nullptr};
  Task task;
  task.params = {{"cfg.scale", 7.5}, {"CFG_SCALE", 8.0}};
  CHECK(task_environment(task, inherited).error() ==
        "two params become the same variable, GENAI_PARAM_CFG_SCALE");
  task.params = {{"prompt", std::string("a\0b", 3)}};
  CHECK(task_environment(task, inherited).error().starts_with("GENAI_PARAM_PROMPT would hold"));
  task.params = {};
  task.label = std::string("\0", 1);
  CHECK(task_environment(task, inherited).error().starts_with("GENAI_LABEL would hold"));
}

TEST_CASE("a command's own time limit counts where the task's does not end it before") {
  Task task;
  CHECK(command_time_limit(task, 0s) == 0ms);
  CHECK(command_time_limit(task, 2s) == 2s);
  task.time_limit_ms = 1500;
  CHECK(command_time_limit(task, 0s) == 0ms);
  CHECK(command_time_limit(task, 2s) == 0ms);
  CHECK(command_time_limit(task, 1s) == 1s);
}

}  // namespace
}  // namespace genai::node
