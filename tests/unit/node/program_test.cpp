// The small parts of genai-node: machine, echo, output lines, options.
#include <catch2/catch.hpp>

#include "protocol/base/json_text.h"
#include "tools/node/echo_handler.h"
#include "tools/node/faults.h"
#include "tools/node/line_reader.h"
#include "tools/node/machine.h"
#include "tools/node/program_options.h"

namespace genai::node {
namespace {

using namespace std::chrono_literals;
using Kind = TaskResult::Kind;

class FakeContext : public TaskContext {
 public:
  void progress(double fraction, std::string_view) override { fractions.push_back(fraction); }
  bool aborted() const override { return is_aborted; }
  bool wait_aborted(std::chrono::milliseconds timeout) override {
    waited += timeout;
    return is_aborted;
  }
  void on_abort(std::function<void()>) override {}

  bool is_aborted = false;
  std::chrono::milliseconds waited{0};
  std::vector<double> fractions;
};

std::string fates(const EchoOptions& options, std::size_t count) {
  const Handler handler = echo_handler(options);
  FakeContext context;
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const TaskResult result = handler({}, context);
    out += is_dropped(result) ? 'd' : result.kind == Kind::kOk ? '.' : 'f';
  }
  return out;
}

std::optional<int> parse(std::vector<const char*> arguments, Options& options) {
  arguments.insert(arguments.begin(), "genai-node");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), options);
}

TEST_CASE("echo gives the payload back after its delay, with progress") {
  FakeContext context;
  Task task;
  task.payload = "hello";
  const TaskResult result = echo_handler({1000ms})(task, context);
  CHECK(result.data == "hello");
  CHECK(context.waited == 1000ms);
  REQUIRE(context.fractions.size() == 10);
  CHECK(context.fractions.back() == Approx(1));
  context.is_aborted = true;
  CHECK(echo_handler({1000ms})(task, context).kind == Kind::kError);
}

TEST_CASE("echo's faults come in their shares and are the same for the same seed") {
  EchoOptions options;
  options.fail_ratio = 0.25;
  options.drop_ratio = 0.5;
  options.seed = 1;
  const std::string first = fates(options, 4000);
  CHECK(std::count(first.begin(), first.end(), 'f') == Approx(1000).margin(150));
  CHECK(std::count(first.begin(), first.end(), 'd') == Approx(2000).margin(150));
  CHECK(fates(options, 4000) == first);
  options.seed = 2;
  CHECK(fates(options, 4000) != first);
  CHECK(fates({0ms, 1, 0, 1}, 50) == std::string(50, 'f'));
  CHECK(fates({0ms, 0, 1, 1}, 50) == std::string(50, 'd'));
  CHECK(fates({}, 50) == std::string(50, '.'));
}

TEST_CASE("what the machine says of itself") {
  CHECK(ram_mib_from_meminfo("MemFree: 1 kB\nMemTotal:       16316412 kB\n") == 15933);
  CHECK(ram_mib_from_meminfo("") == 0);
  const auto gpu = gpu_from_smi("NVIDIA GeForce RTX 3090, 24576\nTesla T4, 15360\n");
  REQUIRE(gpu);
  CHECK(gpu->type == "NVIDIA GeForce RTX 3090");
  CHECK(gpu->vram_mib == 24576);
  CHECK(!gpu_from_smi("No devices were found\n"));
  CHECK(gpu_type_from_driver("IRQ: 3\nModel: \t\t NVIDIA A100\n") == "NVIDIA A100");
  CHECK(gpu_type_from_driver("IRQ: 3\n").empty());
  const Machine machine = detect_machine(AskGpu::kNo);
  CHECK(machine.ncpu > 0);
  CHECK(machine.ram_mib > 0);
}

TEST_CASE("what is no scalar is told as JSON") {
  const ValueMap map{{"b", Value(Bytes{std::string("\x00\xff", 2)})},
                     {"list", Value(ValueList{Value(1), Value(2.5), Value(true), Value()})},
                     {"text", Value("\"\xc3\xb6\0")}};
  CHECK(json_text(Value(map)) == R"({"b":"00ff","list":[1,2.5,true,null],"text":"\"\u00f6"})");
  CHECK(json_text(Value()) == "null");
}

TEST_CASE("the tail of an output") {
  Tail tail;
  CHECK(tail.text().empty());
  tail.add("one\ntwo\n\n");
  CHECK(tail.text() == "one\ntwo");
  Tail twenty;
  for (int i = 1; i <= 20; ++i) twenty.add(std::to_string(i) + "\n");
  CHECK(twenty.text().starts_with("1\n"));
  twenty.add("21\n");
  CHECK(twenty.text().starts_with("2\n"));
  Tail blank;
  blank.add("\n\n");
  CHECK(blank.text().empty());
}

TEST_CASE("progress lines") {
  REQUIRE(parse_progress("0.35 some text"));
  CHECK(parse_progress("0.35 some text")->fraction == Approx(0.35));
  CHECK(parse_progress("0.35 some text")->text == "some text");
  CHECK(parse_progress("1")->text.empty());
  for (const char* wrong : {"", "x", "0.5x", "-0.1", "1.1", "nan", "inf 1", " 0.5"}) {
    INFO(wrong);
    CHECK(!parse_progress(wrong));
  }
}

TEST_CASE("a line that says that no attempt can succeed") {
  CHECK(parse_impossible("impossible no such model: x") == "no such model: x");
  CHECK(!parse_impossible("impossible")->empty());
  for (const char* wrong : {"", "impossibly", "Impossible x", " impossible x"}) {
    INFO(wrong);
    CHECK(!parse_impossible(wrong));
  }
}

TEST_CASE("lines come whole from whatever pieces, overlong ones are dropped") {
  std::vector<std::string> lines;
  LineSplitter splitter;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  splitter.add("a", take);
  splitter.add("b\n\nc", take);
  splitter.add("\n" + std::string(10'000, 'x'), take);
  splitter.add("\nd\n", take);
  CHECK(lines == std::vector<std::string>{"ab", "", "c", "d"});
}

TEST_CASE("exactly one of --exec and --echo") {
  Options options;
  CHECK(parse({}, options) == runtime::kExitUsage);
  options = {};
  CHECK(parse({"--echo", "--exec", "cat"}, options) == runtime::kExitUsage);
  options = {};
  CHECK(!parse({"--echo"}, options));
  CHECK(options.is_echo);
  options = {};
  CHECK(!parse({"--exec", "cat"}, options));
  CHECK(options.exec.command == "cat");
  options = {};
  CHECK(parse({"--echo", "--node-id", "a b"}, options) == runtime::kExitUsage);
  options = {};
  CHECK(parse({"--echo", "--node-id="}, options) == runtime::kExitUsage);
}

TEST_CASE("what an option says is not asked of the machine") {
  Options options;
  REQUIRE(!parse({"--echo", "--node-id", "n", "--ncpu", "0", "--ram-mib", "7", "--gpu-type", "X",
                  "--vram-mib", "9"},
                 options));
  complete_with_machine(options);
  CHECK(options.node.node_id == "n");
  CHECK(options.node.ncpu == 0);
  CHECK(options.node.ram_mib == 7);
  CHECK(options.node.gpu_type == "X");
  CHECK(options.node.vram_mib == 9);
}

}  // namespace
}  // namespace genai::node
