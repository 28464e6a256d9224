#include "tools/client/convert.h"

#include <catch2/catch.hpp>
#include <limits>
#include <set>

#include "protocol/wire/messages.h"
#include "protocol/wire/open_map.h"

using namespace genai;
using namespace genai::client;

TEST_CASE("a request becomes a spec with its params, and defaults stay unsaid") {
  TaskRequest request;
  request.model = "sdxl";
  request.vram_mib = 8000;
  request.params = {{"seed", std::int64_t{7}}, {"hd", true}, {"style", std::string("oil")}};
  request.payload = "prompt";
  auto submission = submission_from(request, *TaskId::parse("t"));
  REQUIRE(submission);
  auto map = decode_map(submission->spec.raw);
  REQUIRE(map);
  CHECK(get_string(*map, "model") == "sdxl");
  CHECK(get_uint(*map, "vram_mib") == 8000);
  CHECK(!map->contains("ttl_ms"));
  CHECK(get_uint(get_map(*map, "params"), "seed") == 7);
  CHECK(get_bool(get_map(*map, "params"), "hd"));
  CHECK(submission->payload.view() == "prompt");
}

TEST_CASE("what the dispatcher would refuse is refused before it is sent") {
  TaskRequest request;
  request.model = std::string(129, 'm');
  const Error too_long = submission_from(request, *TaskId::parse("t")).error();
  CHECK(too_long.code == ErrorCode::kBadField);
  CHECK(too_long.detail == "spec: key 'model': expected a text of at most 128 bytes");
  request = {};
  request.params.emplace("prompt", std::string(65'536, 'p'));
  CHECK(submission_from(request, *TaskId::parse("t")).error().detail == "spec: larger than 64 KiB");
  request = {};
  request.params.emplace("strength", std::numeric_limits<double>::quiet_NaN());
  CHECK(submission_from(request, *TaskId::parse("t")).error().code == ErrorCode::kBadField);
  request = {};
  request.label = "\xff\xfe";
  CHECK(submission_from(request, *TaskId::parse("t")).error().code == ErrorCode::kMalformed);
  request = {};
  request.payload = std::string((16u << 20) + 1, 'p');
  CHECK(submission_from(request, *TaskId::parse("t")).error().code == ErrorCode::kTooLarge);
  request = {};
  request.max_attempts = 1001;
  CHECK(!submission_from(request, *TaskId::parse("t")));
}

TEST_CASE("a delivery becomes a result") {
  const auto result = result_from({*TaskId::parse("t"),
                                   TaskStatus::kFailed,
                                   ErrorCode::kTimeLimit,
                                   {{"error", "too slow"}, {"attempts", 3}, {"run_ms", 9}},
                                   Blob("x")});
  CHECK(result.status == Status::kFailed);
  CHECK(result.code == Errc::kTimeLimit);
  CHECK(result.error == "too slow");
  CHECK(result.attempts == 3);
  CHECK(result.run_ms == 9);
  CHECK(result.data == "x");
  CHECK(result.files().empty());
}

TEST_CASE("a bundle becomes files that share the data") {
  const ValueMap cat{{"name", "cat.png"},
                     {"bytes", 3},
                     {"content_type", "image/png"},
                     {"seed", 7},
                     {"loras", ValueList{"x"}}};
  const ValueMap mask{{"name", "masks/1"}, {"bytes", 4}};
  const auto delivered = [](ValueList files, const char* data) {
    return result_from({*TaskId::parse("t"),
                        TaskStatus::kCompleted,
                        ErrorCode::kOk,
                        {{"files", std::move(files)}, {"content_type", "image/webp"}},
                        Blob(std::string(data))});
  };
  const TaskResult result = delivered({cat, mask}, "catmask");
  REQUIRE(result.files().size() == 2);
  CHECK(result.bundle[0].name == "cat.png");
  CHECK(result.bundle[0].content_type == "image/png");
  CHECK(result.bundle[0].metadata ==
        std::map<std::string, Param>{{"seed", std::int64_t{7}}, {"loras", std::string("[\"x\"]")}});
  CHECK(result.bundle[0].data.data() == result.data.data());
  REQUIRE(result.file("masks/1"));
  CHECK(result.file("masks/1")->data == "mask");
  CHECK(!result.file("masks"));

  for (const TaskResult& other :
       {delivered({cat, mask}, "catmask and more"), delivered({cat, cat}, "catcat"),
        delivered({ValueMap{{"name", "../cat"}, {"bytes", 3}}}, "cat"),
        delivered({ValueMap{{"name", "c\xff"}, {"bytes", 3}}}, "cat")}) {
    CHECK(other.bundle.empty());
    REQUIRE(other.files().size() == 1);
    CHECK(other.files()[0].name.empty());
    CHECK(other.files()[0].content_type == "image/webp");
    CHECK(other.files()[0].data == other.data);
  }
}

TEST_CASE("a part of a bundle tells where each file is") {
  const ValueMap info{{"files", ValueList{ValueMap{{"name", "a.png"}, {"bytes", 3}, {"seed", 7}},
                                          ValueMap{{"name", "b/c"}, {"bytes", 4}}}}};
  const auto fetched = [&](std::uint64_t total, std::uint64_t offset, const char* data) {
    return part_from({1, *TaskId::parse("t"), TaskStatus::kCompleted, ErrorCode::kOk, info, total,
                      offset, Blob(std::string(data))});
  };
  const ResultPart part = fetched(7, 3, "ma");
  REQUIRE(part.files.size() == 2);
  CHECK(part.files[0].metadata.at("seed") == Param(std::int64_t{7}));
  CHECK(part.files[1].name == "b/c");
  CHECK(part.files[1].offset == 3);
  CHECK(part.files[1].bytes == 4);
  CHECK(part.task.bundle.empty());
  CHECK(fetched(7, 0, "catmask").task.bundle.size() == 2);
  CHECK(fetched(8, 0, "catmask").files.empty());
}

TEST_CASE("every status has its name") {
  for (int i = 0; i <= 5; ++i)
    CHECK(name(static_cast<Status>(i)) == genai::name(static_cast<TaskStatus>(i)));
}

TEST_CASE("urgency, tenant and money become part of the spec") {
  TaskRequest request;
  request.tenant = "alice";
  request.priority = 9;
  request.not_before_ms = 1'800'000'000'000;
  request.deadline_ms = 1'800'000'500'000;
  request.start_in_ms = 5'000;
  request.deadline_in_ms = 60'000;
  request.max_cost = 2.5;
  request.time_to_money_ratio = 0;
  request.work = 1.5;
  auto submission = submission_from(request, *TaskId::parse("t"));
  REQUIRE(submission);
  const TaskSpec spec = *decode_spec(submission->spec.raw);
  CHECK(spec.tenant == "alice");
  CHECK(spec.priority == 9);
  CHECK(spec.not_before_ms == request.not_before_ms);
  CHECK(spec.deadline_ms == request.deadline_ms);
  CHECK(spec.start_in_ms == 5'000);
  CHECK(spec.deadline_in_ms == 60'000);
  CHECK(spec.max_cost == 2.5);
  CHECK(spec.time_to_money_ratio == 0);
  CHECK(spec.work == 1.5);
  const TaskSpec plain = *decode_spec(submission_from({}, *TaskId::parse("t"))->spec.raw);
  TaskSpec defaults;
  defaults.raw = plain.raw;
  CHECK(plain == defaults);
  request.priority = 10;
  CHECK(submission_from(request, *TaskId::parse("t")).error().code == ErrorCode::kBadField);
  request.priority = 1;
  request.max_cost = -1;
  CHECK(submission_from(request, *TaskId::parse("t")).error().code == ErrorCode::kBadField);
}

TEST_CASE("a request has a member for every key of a spec") {
  std::set<std::string> keys, members;
  for (const auto& [key, value] : wire::spec_defaults()) keys.insert(key);
  keys.insert("params");
  const TaskRequest request;
  TaskRequest::fields([&](const char* key, const auto&) { members.insert(key); }, request);
  CHECK(members == keys);
}

TEST_CASE("a default that a request says is as good as unsaid") {
  TaskRequest request;
  request.ttl_ms = limits::kDefaultTtlMs;
  request.priority = limits::kDefaultPriority;
  request.max_cost = TaskSpec::kUnlimited;
  request.time_to_money_ratio = TaskSpec::kUnlimited;
  const auto submission = submission_from(request, *TaskId::parse("t"));
  REQUIRE(submission);
  CHECK(decode_map(submission->spec.raw)->empty());
}

TEST_CASE("an acceptance carries when, a refusal when to come again") {
  const TaskId id = *TaskId::parse("t");
  const Verdict known = verdict_from(msg::Acceptance{id, ErrorCode::kOk, "", 0, {1, 2, 3, 4}});
  REQUIRE(known.estimate);
  CHECK(known.estimate->start_p95_ms == 2);
  CHECK(known.estimate->finish_p95_ms == 4);
  const Verdict refused =
      verdict_from(msg::Acceptance{id, ErrorCode::kOverQuota, "enough", 5000, {}});
  CHECK(refused.code == Errc::kOverQuota);
  CHECK(refused.retry_after_ms == 5000);
  CHECK_FALSE(refused.estimate);
}

TEST_CASE("an acceptance can warn that the task is late, a refusal cannot") {
  const TaskId id = *TaskId::parse("t");
  const auto is_late = [&](ErrorCode code, const char* detail) {
    return verdict_from(msg::Acceptance{id, code, detail, 0, {}}).is_late();
  };
  CHECK(is_late(ErrorCode::kOk, "late: expected in 30 m, its ttl is 20 m"));
  CHECK_FALSE(is_late(ErrorCode::kOk, "2 providers lack model 'flux'"));
  CHECK_FALSE(is_late(ErrorCode::kQueueFull, "late: no"));
}

TEST_CASE("a completed task says where its result is") {
  CHECK(task_from({{"status", "Completed"}, {"result", "dropped"}}).result == "dropped");
  CHECK(task_from({{"status", "Completed"}}).result.empty());
  const auto dropped = result_from({*TaskId::parse("t"),
                                    TaskStatus::kCompleted,
                                    ErrorCode::kOk,
                                    {{"result_gone", true}, {"result_dropped", true}},
                                    {}});
  CHECK((dropped.result_gone && dropped.result_dropped));
  CHECK(dropped.files().empty());
}

TEST_CASE("every metric of STATS arrives, those that this library does not know included") {
  const ValueMap histogram = {
      {"count", 3},
      {"sum", 12.5},
      {"buckets", ValueList{ValueList{Value(1.0), Value(2)}, ValueList{Value(10.0), Value(3)}}}};
  const ValueMap map = {{"epoch", std::uint64_t{1'763'900'000'000}},
                        {"store", "memory"},
                        {"tasks", ValueMap{{"Sent", 1}}},
                        {"late_results_total", 4},
                        {"calibration", 0.25},
                        {"of_a_newer_release_total", 5},
                        {"brokers", ValueList{ValueMap{{"endpoint", "ipc://b"},
                                                       {"state", "connected"},
                                                       {"metrics", ValueMap{{"lost_total", 2}}}},
                                              ValueMap{{"endpoint", "ipc://older"}}}},
                        {"queue_ms", histogram}};
  const Stats stats = stats_from(map);
  CHECK(stats.metrics == std::map<std::string, double>{{"late_results_total", 4},
                                                       {"calibration", 0.25},
                                                       {"of_a_newer_release_total", 5}});
  CHECK(stats.metric("late_results_total") == 4);
  CHECK(stats.metric("none_total") == 0);
  REQUIRE(stats.brokers.size() == 2);
  CHECK(stats.brokers[0].metrics == std::map<std::string, double>{{"lost_total", 2}});
  CHECK(stats.brokers[1].metrics.empty());
  REQUIRE(stats.histograms.size() == 1);
  CHECK(stats.histograms.at("queue_ms").count == 3);
  CHECK(stats.histograms.at("queue_ms").sum == 12.5);
  CHECK(stats.histograms.at("queue_ms").buckets ==
        std::vector<std::pair<double, std::uint64_t>>{{1.0, 2}, {10.0, 3}});
}

TEST_CASE("a malformed histogram of a peer is read as far as it makes sense") {
  const ValueMap histogram = {{"count", "many"},
                              {"buckets", ValueList{Value("x"), Value(ValueList{})}}};
  const Stats stats = stats_from({{"queue_ms", histogram}});
  CHECK(stats.histograms.at("queue_ms").count == 0);
  CHECK(stats.histograms.at("queue_ms").buckets.empty());
}
