// What `submit` is told on the command line becomes the members of a task.
#include "tools/ctl/options.h"

#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>

using namespace genai;
using namespace genai::ctl;

namespace {

struct Parsed {
  std::optional<int> exit_code;
  Options options;
  std::string error;
};

Parsed submit(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"genai-ctl", "submit", "a prompt"});
  Parsed parsed;
  std::ostringstream errors;
  auto* const old = std::cerr.rdbuf(errors.rdbuf());
  parsed.exit_code =
      parse_options(static_cast<int>(arguments.size()), arguments.data(), parsed.options);
  std::cerr.rdbuf(old);
  parsed.error = errors.str();
  return parsed;
}

}  // namespace

TEST_CASE("every option of submit reaches its member of the task") {
  const Parsed parsed =
      submit({"--id=t-1", "--model=sdxl", "--gpu-type=rtx4090", "--ncpu=1", "--ram-mib=2",
              "--vram-mib=3", "--ttl-s=4", "--time-limit-s=5", "--max-attempts=6", "--tenant=alice",
              "--priority=7", "--start-in-s=8", "--deadline-in-s=9", "--max-cost=0.5",
              "--time-to-money-ratio=0", "--work=1.5", "--label=a name"});
  CHECK(parsed.error.empty());
  REQUIRE_FALSE(parsed.exit_code);
  const client::TaskRequest& task = parsed.options.submit.task;
  CHECK(parsed.options.submit.prompt == "a prompt");
  CHECK(task.id == "t-1");
  CHECK(task.model == "sdxl");
  CHECK(task.gpu_type == "rtx4090");
  CHECK(task.ncpu == 1);
  CHECK(task.ram_mib == 2);
  CHECK(task.vram_mib == 3);
  CHECK(task.ttl_ms == 4'000);
  CHECK(task.time_limit_ms == 5'000);
  CHECK(task.max_attempts == 6);
  CHECK(task.tenant == "alice");
  CHECK(task.priority == std::uint8_t{7});
  CHECK(task.start_in_ms == 8'000);
  CHECK(task.deadline_in_ms == 9'000);
  CHECK(task.max_cost == 0.5);
  CHECK(task.time_to_money_ratio == 0.0);
  CHECK(task.work == 1.5);
  CHECK(task.label == "a name");
}

TEST_CASE("a time of submit is refused in its own unit") {
  const Parsed parsed = submit({"--ttl-s=2592001"});
  CHECK(parsed.exit_code == runtime::kExitUsage);
  CHECK(parsed.error.find("must be a whole number from 1 to 2592000, not 2592001") !=
        std::string::npos);
}
