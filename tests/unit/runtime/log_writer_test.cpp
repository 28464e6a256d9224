// Log lines and a stderr that takes nothing, or nothing any more.
#include "protocol/runtime/log_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/runtime/logging.h"
#include "tests/unit/runtime/capture.h"

using namespace genai::runtime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// A pipe as standard error.
class StderrPipe {
 public:
  StderrPipe() {
    REQUIRE(pipe2(ends_, O_CLOEXEC) == 0);
    saved_ = dup(STDERR_FILENO);
    flush_log(seconds(60));
    dup2(ends_[1], STDERR_FILENO);
  }
  ~StderrPipe() {
    close_reader();
    flush_log(seconds(60));
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(ends_[1]);
  }
  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  std::string read_line() {
    std::string line;
    char c = 0;
    while (read(ends_[0], &c, 1) == 1) {
      if (c == '\n') return line;
      line += c;
    }
    FAIL("the pipe ended within: " << line);
    return line;
  }

 private:
  int ends_[2];
  int saved_;
};

/// What a child of this process writes to its standard error, and how it ended.
struct Outcome {
  std::string text;
  int status = 0;
};
template <class Body>
Outcome run_child(Body body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    _exit(0);
  }
  close(ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    outcome.text.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  REQUIRE(waitpid(child, &outcome.status, 0) == child);
  return outcome;
}

/// The test program started anew, so that its log has no thread yet.
Outcome run_hidden_case(const char* name) {
  return run_child([&] {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execl("/proc/self/exe", "unit_runtime", name, nullptr);
  });
}

}  // namespace

TEST_CASE("a pipe that nobody reads: lines are dropped, later they are counted in their place") {
  StderrPipe pipe;
  init_logging("p", LogLevel::kInfo, LogFormat::kJson);
  constexpr std::uint64_t kLines = 50'000;  // several times what may wait
  for (std::uint64_t i = 0; i < kLines; ++i) log_info("line", {{"number", i}});
  CHECK_FALSE(flush_log(milliseconds(1)));
  std::uint64_t next = 0, dropped = 0;
  std::size_t read_bytes = 0;
  // One notice, or two where the writer's thread began only after the first lines were dropped.
  while (next < kLines) {
    const std::string text = pipe.read_line();
    const auto line = nlohmann::json::parse(text);
    if (line.contains("number")) {
      read_bytes += text.size();
      REQUIRE(line["number"] == next++);
      continue;
    }
    REQUIRE(text.find("were dropped") != std::string::npos);
    CHECK(line["level"] == "warn");
    dropped += line["lines"].get<std::uint64_t>();
    next += line["lines"].get<std::uint64_t>();
  }
  CHECK(next == kLines);
  CHECK(dropped > 0);
  CHECK(read_bytes > kMaxWaitingLogBytes / 2);
  // Then it goes on as before.
  log_info("after");
  CHECK(pipe.read_line().find("after") != std::string::npos);
}

TEST_CASE("a reader that has gone loses lines and nothing else") {
  StderrPipe pipe;
  SECTION("a pipe") { pipe.close_reader(); }
  SECTION("a closed descriptor") { close(STDERR_FILENO); }
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < 1000; ++i) log_info("line");
  CHECK(flush_log(seconds(60)));
  signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("what a full disk swallowed is counted once there is room") {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  {
    const StderrCapture capture;
    log_info("what other cases lost is told here");
  }
  {
    const StderrCapture capture(full);
    init_logging("p", LogLevel::kInfo, LogFormat::kJson);
    for (int i = 0; i < 10; ++i) log_info("lost");
  }
  close(full);
  const StderrCapture capture;
  log_info("kept");
  const std::string text = capture.text();
  CHECK(text.find("\"msg\":\"kept\"") != std::string::npos);
  CHECK(text.find("\"lines\":10}") != std::string::npos);
}

TEST_CASE("the last lines of a process that crashes are seen", "[.crashing]") {
  init_logging("p", LogLevel::kInfo, LogFormat::kJson);
  signal(SIGABRT, SIG_DFL);  // the test runner's handler
  for (int i = 0; i < 100; ++i) log_info("working");
  log_error("the reason");
  abort();
}

TEST_CASE("the last lines of a process that ends are seen", "[.ending]") {
  init_logging("p", LogLevel::kInfo, LogFormat::kJson);
  for (int i = 0; i < 100; ++i) log_info("working");
  log_error("the reason");
  exit(7);
}

TEST_CASE("the last lines") {
  SECTION("of a process that crashes, which still dies of its signal") {
    const Outcome outcome = run_hidden_case("the last lines of a process that crashes are seen");
    CHECK(WIFSIGNALED(outcome.status));
    CHECK(WTERMSIG(outcome.status) == SIGABRT);
    CHECK(outcome.text.find("the reason") != std::string::npos);
  }
  SECTION("of a process that ends") {
    const Outcome outcome = run_hidden_case("the last lines of a process that ends are seen");
    CHECK(WEXITSTATUS(outcome.status) == 7);
    CHECK(outcome.text.find("the reason") != std::string::npos);
  }
}

TEST_CASE("a child between fork and exec repeats no line and waits for no thread") {
  const StderrCapture capture;
  init_logging("p", LogLevel::kInfo, LogFormat::kJson);
  log_info("the parent's");
  const Outcome outcome = run_child([] {
    log_info("the child's");
    flush_log(seconds(60));
  });
  CHECK(outcome.status == 0);
  CHECK(std::ranges::count(outcome.text, '\n') == 1);
  CHECK(outcome.text.find("the child's") != std::string::npos);
}

TEST_CASE("lines of several threads stay whole") {
  const StderrCapture capture;
  init_logging("p", LogLevel::kInfo, LogFormat::kJson);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) log_info("line", {{"number", i}});
    });
  for (std::thread& thread : threads) thread.join();
  std::istringstream text(capture.whole());
  std::size_t count = 0;
  for (std::string line; std::getline(text, line); ++count) REQUIRE(nlohmann::json::accept(line));
  CHECK(count == 4000);
}

TEST_CASE("colours only where the terminal has them and nobody objects") {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE((grantpt(terminal) == 0 && unlockpt(terminal) == 0));
  const int side = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  const auto line_with = [&](const char* term, const char* no_color) {
    setenv("TERM", term, 1);
    setenv("NO_COLOR", no_color, 1);
    {
      const StderrCapture capture(side);
      init_logging("p", LogLevel::kInfo, LogFormat::kText);
      log_warn("m");
    }
    std::string line;
    char c = 0;
    while (!line.ends_with('\n') && read(terminal, &c, 1) == 1) line += c;
    return line;
  };
  CHECK(line_with("xterm-256color", "").find("\x1b[33;1mwarn \x1b[m p: m") != std::string::npos);
  CHECK(line_with("xterm-256color", "1").find('\x1b') == std::string::npos);
  CHECK(line_with("dumb", "").find('\x1b') == std::string::npos);
  CHECK(line_with("", "").find('\x1b') == std::string::npos);
  close(side);
  close(terminal);
}
