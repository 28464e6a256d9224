// What a node finds out about its command and its name before any task.
#include "tools/node/fitness.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "tests/unit/temp_folder.h"
#include "tools/node/default_id.h"
#include "tools/node/exec_handler.h"

namespace genai::node {
namespace {

using genai::test::TempFolder;

class NoContext : public TaskContext {
 public:
  void progress(double, std::string_view) override {}
  bool aborted() const override { return false; }
  bool wait_aborted(std::chrono::milliseconds) override { return false; }
  void on_abort(std::function<void()>) override {}
};

TaskResult handle(const std::string& command) {
  NoContext context;
  return exec_handler({command, {}, {}})(Task{}, context);
}

std::string write(const std::string& path, const std::string& text, bool executable) {
  std::ofstream(path) << text;
  std::filesystem::permissions(path, std::filesystem::perms(executable ? 0700 : 0600));
  return path;
}

TEST_CASE("the program that a command begins with") {
  CHECK(first_program("cat") == "cat");
  CHECK(first_program("  cat -n\n") == "cat");
  CHECK(first_program("exec /opt/a+b/run.sh --x") == "/opt/a+b/run.sh");
  CHECK(first_program("cat; true") == "cat");
  CHECK(first_program("cat|wc") == "cat");
  CHECK(first_program("cd /opt && ./run") == "cd");
  for (const char* unknown :
       {"", "  ", "A=1 cat", "'cat'", "\"$X\"", "$X", "~/run", "./r*n", "(cat)", "exec",
        "exec -a x cat", "2>/dev/null cat", "f() { :; }", "# cat"}) {
    INFO(unknown);
    CHECK_FALSE(first_program(unknown));
  }
}

TEST_CASE("a program that is missing or not executable is found out before any task") {
  const TempFolder temp;
  CHECK_FALSE(command_problem("cat"));
  CHECK_FALSE(command_problem("cd / && nonsense"));
  CHECK_FALSE(command_problem("while read line; do :; done"));
  CHECK_FALSE(command_problem("\"$RENDERER\""));
  CHECK(command_problem("no-such-command-here") ==
        "cannot run no-such-command-here: it is not found");
  const std::string missing = temp / "missing";
  CHECK(command_problem(missing) == "cannot run " + missing + ": No such file or directory");
  CHECK(command_problem("exec " + temp.path) == "cannot run " + temp.path + ": it is a directory");
  const std::string plain = write(temp / "plain", "#!/bin/sh\n", false);
  CHECK(command_problem(plain + " --fast") == "cannot run " + plain + ": Permission denied");
  CHECK_FALSE(command_problem(write(temp / "good", "#!/bin/sh\n", true)));
  const std::string orphan = write(temp / "orphan", "#! /no/such/interpreter -x\n", true);
  CHECK(command_problem(orphan)->find("/no/such/interpreter") != std::string::npos);
}

TEST_CASE("a task is given back only when the command could run for no task at all") {
  const TempFolder temp;
  CHECK(handle(temp / "missing").kind == TaskResult::Kind::kReturned);
  CHECK(handle(write(temp / "plain", "#!/bin/sh\n", false)).kind == TaskResult::Kind::kReturned);
  CHECK(handle(write(temp / "orphan", "#!/no/such\n", true)).kind == TaskResult::Kind::kReturned);
  // These are there, and end so by themselves: the next task may fare better.
  for (const char* own : {"exit 127", "sh -c 'exit 126'", "cd / && ./no-such-program"}) {
    INFO(own);
    const TaskResult result = handle(own);
    CHECK(result.kind == TaskResult::Kind::kError);
    CHECK(result.code == 0);
  }
}

TEST_CASE("two nodes of one host have two names, and have them again after a restart") {
  const TempFolder temp;
  const std::string folder = temp / "state/genai-node";
  std::string first, second;
  {
    const DefaultId one = claim_default_id(folder, "box");
    const DefaultId two = claim_default_id(folder, "box");
    CHECK(one.why_not_kept.empty());
    CHECK(two.why_not_kept.empty());
    first = one.id;
    second = two.id;
  }
  CHECK(first.starts_with("box-"));
  CHECK(first != second);
  {
    const DefaultId one = claim_default_id(folder, "box");
    const DefaultId two = claim_default_id(folder, "box");
    CHECK(one.id == first);
    CHECK(two.id == second);
  }
  // Another host that shares the folder.
  CHECK(claim_default_id(folder, "other").id.starts_with("other-"));
  CHECK(claim_default_id(folder, "box").id == first);
}

TEST_CASE("two containers with one host name have two names") {
  const TempFolder a, b;
  CHECK(claim_default_id(a.path, "box").id != claim_default_id(b.path, "box").id);
}

TEST_CASE("without a place for it the name is another one each time, and says so") {
  const TempFolder temp;
  write(temp / "file", "", false);
  for (const std::string& folder :
       {std::string(), temp / "file", std::string("/proc/genai-node")}) {
    INFO(folder);
    const DefaultId one = claim_default_id(folder, "box");
    CHECK_FALSE(one.why_not_kept.empty());
    CHECK(is_valid_id(one.id));
    CHECK(one.id != claim_default_id(folder, "box").id);
  }
}

TEST_CASE("the default node id is a valid id whatever the host is called") {
  const TempFolder temp;
  for (const auto& host :
       std::vector<std::string>{"box", "b\xc3\xb6x 1", "", "../x", std::string(255, 'h')}) {
    INFO(host);
    const DefaultId one = claim_default_id(temp.path, host);
    CHECK(is_valid_id(one.id));
    CHECK(one.why_not_kept.empty());
  }
  CHECK(claim_default_id(temp.path, "b\xc3\xb6x 1").id.starts_with("b--x-1-"));
  CHECK(claim_default_id(temp.path, "").id.starts_with("node-"));
  std::ofstream(temp / "broken-1.id") << "no id at all\n";
  CHECK(claim_default_id(temp.path, "broken").id.starts_with("broken-"));
}

}  // namespace
}  // namespace genai::node
