// Times that a task's spec gives from the acceptance on: the dispatcher's clock counts, no other.
#include "dispatcher/tasks/lateness.h"
#include "tests/unit/dispatcher/store/durable_fleet.h"
#include "tests/unit/dispatcher/store/store_double.h"
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::DurableWorld;
using genai::dispatcher::test::StoreDouble;
using genai::dispatcher::test::task_id;
using genai::dispatcher::test::World;

namespace {

TaskSpec with(auto change) {
  TaskSpec spec;
  change(spec);
  return spec;
}

ValueMap told(World& w, const std::string& id) {
  w.from_client(msg::StatusQuery{9, {task_id(id)}});
  return w.take_to_client<msg::Tasks>().at(0).tasks.at(0);
}

/// Teaches the dispatcher that a task takes so long.
void teach(World& w, std::uint64_t ms, int times = 3) {
  for (int i = 0; i < times; ++i) {
    w.submit("teach-" + std::to_string(i));
    const auto [node, ref] = w.take_only_assigned();
    w.ack(node, ref);
    w.run_for(ms);
    w.result(node, ref);
    w.fetch("teach-" + std::to_string(i));
  }
}

/// So many tasks in one SUBMIT.
std::vector<msg::Acceptance> submit_batch(World& w, unsigned count, const TaskSpec& spec) {
  msg::Submit submit{5, msg::WatchLevel::kNone, {}};
  for (unsigned i = 0; i < count; ++i)
    submit.tasks.push_back(World::submission("batch-" + std::to_string(1000 + i), spec));
  w.from_client(submit);
  return w.take_to_client<msg::Accepted>().at(0).verdicts;
}

}  // namespace

TEST_CASE("a client whose clock is wrong starts and ends its tasks by spans") {
  World w;
  w.snapshot({World::entry(1)});
  const auto spans = with([](TaskSpec& s) {
    s.start_in_ms = 10'000;
    s.deadline_in_ms = 30'000;
  });
  CHECK(w.submit("t", spans).code == ErrorCode::kOk);
  w.run_for(9'999);
  CHECK(w.take_assigned().empty());
  w.run_for(1);
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.run_for(19'990);
  CHECK(w.status("t") == TaskStatus::kSent);
  w.run_for(10);
  CHECK(w.status("t") == TaskStatus::kFailed);
  CHECK(w.task("t").code == ErrorCode::kDeadlineMissed);
}

TEST_CASE("the same command given again is the same task, however much later") {
  World w;
  w.snapshot({World::entry(1)});
  const auto spans = with([](TaskSpec& s) {
    s.start_in_ms = 10'000;
    s.deadline_in_ms = 60'000;
  });
  CHECK(w.submit("t", spans).code == ErrorCode::kOk);
  w.run_for(5'000);
  CHECK(w.submit("t", spans).code == ErrorCode::kOk);
  CHECK(w.core.tasks().size() == 1);
  w.run_for(5'000);  // of the first acceptance, not of the repetition
  CHECK(w.take_assigned().size() == 1);
}

TEST_CASE("of two starts the later one counts, and of two deadlines the earlier one") {
  World w;
  w.snapshot({World::entry(1)});
  const std::uint64_t wall = to_ms(w.now.wall);
  const bool spans_decide = GENERATE(true, false);
  const std::uint64_t near = 5'000, far = 20'000;
  w.submit("t", with([&](TaskSpec& s) {
             s.start_in_ms = spans_decide ? near : 1;
             s.not_before_ms = wall + (spans_decide ? 1 : near);
             s.deadline_in_ms = spans_decide ? far : 2 * far;
             s.deadline_ms = wall + (spans_decide ? 2 * far : far);
           }));
  w.run_for(near - 1);
  CHECK(w.take_assigned().empty());
  w.run_for(1);
  const auto [node, ref] = w.take_only_assigned();
  w.ack(node, ref);
  w.run_for(far - near - 1);
  CHECK(w.status("t") == TaskStatus::kSent);
  w.run_for(1);
  CHECK(w.task("t").code == ErrorCode::kDeadlineMissed);
}

TEST_CASE("a ttl counts from the start, also of one that is a span away") {
  World w;
  w.snapshot();
  w.submit("t", with([](TaskSpec& s) {
             s.start_in_ms = 10'000;
             s.ttl_ms = 5'000;
           }));
  w.run_for(14'990);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
  w.run_for(10);
  CHECK(w.task("t").code == ErrorCode::kExpired);
}

TEST_CASE("spans go on while the dispatcher is down") {
  StoreDouble store;
  auto w = std::make_unique<DurableWorld>(store, 1, World::kStart);
  w->from_client(
      msg::Submit{1, msg::WatchLevel::kResult, {World::submission("t", with([](TaskSpec& s) {
                                                                    s.start_in_ms = 10'000;
                                                                    s.deadline_in_ms = 30'000;
                                                                  }))}});
  while (w->running) REQUIRE(w->finish_commit());
  REQUIRE(w->take_to_client<msg::Accepted>().size() == 1);
  Now later = w->now;
  later.mono = from_ms(77);  // another process, another clock
  later.wall += from_ms(8'000);
  w = std::make_unique<DurableWorld>(store, 2, later);
  w->snapshot({World::entry(1)});
  w->run_for(1'990);
  CHECK(w->take_assigned().empty());
  w->run_for(10);
  CHECK(w->take_assigned().size() == 1);
  w->run_for(19'990);
  CHECK(!is_terminal(w->status("t")));
  w->run_for(10);
  CHECK(w->task("t").code == ErrorCode::kDeadlineMissed);
}

TEST_CASE("spans of a replayed task count from its replay") {
  World w;
  w.snapshot();
  w.submit("t", with([](TaskSpec& s) { s.deadline_in_ms = 5'000; }));
  w.run_for(60'000);
  REQUIRE(w.status("t") == TaskStatus::kFailed);
  w.from_client(msg::Replay{3, {{task_id("t"), task_id("again")}}});
  CHECK(w.take_to_client<msg::Accepted>().at(0).verdicts.at(0).code == ErrorCode::kOk);
  w.run_for(4'990);
  CHECK(w.status("again") == TaskStatus::kUnscheduled);
  w.run_for(10);
  CHECK(w.task("again").code == ErrorCode::kDeadlineMissed);
}

// ---- what will not make it

TEST_CASE("a batch that is longer than its ttl is told which of it will be late") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 10'000);
  const auto verdicts = submit_batch(w, 20, with([](TaskSpec& s) { s.ttl_ms = 100'000; }));
  const auto is_late = [](const msg::Acceptance& v) { return v.detail.starts_with("late: "); };
  std::size_t late = 0;
  for (const auto& verdict : verdicts) {
    CHECK(verdict.code == ErrorCode::kOk);
    late += is_late(verdict);
  }
  CHECK(!is_late(verdicts.front()));
  CHECK(is_late(verdicts.back()));
  CHECK(late > 5);  // 20 of 10 s in 100 s
  CHECK(late < 15);
  // Each counts those before it in the same message.
  for (std::size_t i = 1; i < verdicts.size(); ++i)
    CHECK(verdicts[i].estimate.finish_p50_ms > verdicts[i - 1].estimate.finish_p50_ms);
  INFO(verdicts.back().detail);
  CHECK(verdicts.back().detail.find("expected to end in 3 min") != std::string::npos);
  CHECK(verdicts.back().detail.find(", its ttl ends in 1 min 40 s") != std::string::npos);
}

TEST_CASE("a backlog of hours lives longer than the default ttl, which 20 minutes would not") {
  World w;
  w.snapshot({World::entry(1), World::entry(2), World::entry(3)});
  teach(w, 30'000, 9);
  const bool is_default = GENERATE(true, false);
  const auto verdicts = submit_batch(w, 1000, with([&](TaskSpec& s) {
                                       if (!is_default) s.ttl_ms = 20 * 60'000;
                                     }));
  const auto late = std::ranges::count_if(
      verdicts, [](const msg::Acceptance& v) { return v.detail.starts_with("late: "); });
  const double hours = static_cast<double>(verdicts.back().estimate.finish_p50_ms) / 3'600'000;
  CHECK(hours == Approx(2.8).margin(0.4));
  if (is_default)
    CHECK(late == 0);
  else
    CHECK(static_cast<double>(late) == Approx(880).margin(30));
}

TEST_CASE("a deadline that comes before the ttl is what a late task is told of") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 10'000);
  const auto verdict = w.submit("t", with([](TaskSpec& s) { s.deadline_in_ms = 2'000; }));
  CHECK(verdict.code == ErrorCode::kOk);
  CHECK(verdict.detail.starts_with("late: expected to end in "));
  CHECK(verdict.detail.ends_with(", its deadline is in 2 s"));
  // What cannot be is known without any measure.
  CHECK(w.submit("u", with([](TaskSpec& s) {
                   s.start_in_ms = 60'000;
                   s.deadline_in_ms = 30'000;
                 }))
            .detail == "late: it may start in 1 min, its deadline is in 30 s");
  CHECK(
      w.submit("v", with([&](TaskSpec& s) { s.deadline_ms = to_ms(w.now.wall) - 1'000; })).detail ==
      "late: its deadline has passed");
}

TEST_CASE("what will make it, and what nobody knows, is told nothing of lateness") {
  World w;
  w.snapshot({World::entry(1)});
  CHECK(w.submit("unknown", with([](TaskSpec& s) { s.ttl_ms = 5; })).detail.empty());
  w.run_for(1'000);
  w.take_assigned();
  World known;
  known.snapshot({World::entry(1)});
  teach(known, 1'000);
  CHECK(known.submit("t").detail.empty());
  CHECK(!told(known, "t").contains("late"));
}

TEST_CASE("a status tells when a task will end as things are now, not as they were") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  teach(w, 10'000, 6);
  const auto verdicts = submit_batch(w, 20, with([](TaskSpec& s) { s.ttl_ms = 150'000; }));
  const std::string last = "batch-1019", middle = "batch-1010";
  CHECK(verdicts.back().detail.empty());
  const std::uint64_t before = get_uint(told(w, last), "finish_p50_ms");
  CHECK(before > 50'000);
  CHECK(before < 150'000);
  CHECK(get_uint(told(w, middle), "finish_p50_ms") < before);  // its own place, not the queue's end
  w.state(1, ProviderState::kLost);
  const ValueMap after = told(w, last);
  CHECK(get_uint(after, "finish_p50_ms") > before * 3 / 2);
  CHECK(get_string(after, "late").starts_with("expected to end in 3 min"));
  CHECK(get_string(after, "late").ends_with("its ttl ends in 2 min 30 s"));
  w.join(3);
  w.join(4);
  CHECK(get_uint(told(w, last), "finish_p50_ms") < before);
  CHECK(!told(w, last).contains("late"));
}

TEST_CASE("a status of a running task tells what is left of it") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 10'000, 6);
  submit_batch(w, 3, {});
  const auto refs = w.take_assigned();
  REQUIRE(refs.size() == 2);  // one runs, one is prefetched
  for (const auto& [node, ref] : refs) w.ack(node, ref);
  const std::uint64_t first = get_uint(told(w, "batch-1000"), "finish_p50_ms");
  const std::uint64_t second = get_uint(told(w, "batch-1001"), "finish_p50_ms");
  CHECK(second > first * 3 / 2);
  w.run_for(5'000);
  CHECK(get_uint(told(w, "batch-1000"), "finish_p50_ms") < first * 3 / 4);
  CHECK(get_uint(told(w, "batch-1001"), "finish_p50_ms") < second);
  // Nobody knows how long while its node cannot be reached.
  w.broker_silent = true;
  w.run_for(8'000);
  CHECK(!told(w, "batch-1000").contains("finish_p50_ms"));
}

TEST_CASE("a status of one task in a long queue knows about where it is") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 1'000, 6);
  submit_batch(w, 4000, {});
  const auto finish = [&](unsigned i) {
    return static_cast<double>(
        get_uint(told(w, "batch-" + std::to_string(1000 + i)), "finish_p50_ms"));
  };
  const double all = finish(3999);
  CHECK(finish(10) / all < 0.01);
  CHECK(finish(1000) / all == Approx(0.25).margin(0.03));
  CHECK(finish(3000) / all == Approx(0.75).margin(0.03));
}

TEST_CASE("a tenant with one task does not wait for all of another's") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 10'000, 6);
  submit_batch(w, 100, with([](TaskSpec& s) { s.tenant = "large"; }));
  const auto verdict = w.submit("t", with([](TaskSpec& s) { s.tenant = "small"; }));
  CHECK(verdict.estimate.finish_p50_ms < 100'000);
}

TEST_CASE("a list costs no look at the fleet for each of its tasks") {
  World w;
  w.snapshot({World::entry(1)});
  teach(w, 10'000);
  w.submit("t");
  w.from_client(msg::List{4, {{"status", "Scheduled"}}});
  const auto listed = w.take_to_client<msg::Tasks>().at(0).tasks;
  REQUIRE(listed.size() == 1);
  CHECK(!listed[0].contains("finish_p50_ms"));
  CHECK(!listed[0].contains("late"));
}

TEST_CASE("a span is told in the two largest units that it has") {
  CHECK(span_text(from_ms(0)) == "0 ms");
  CHECK(span_text(from_ms(250)) == "250 ms");
  CHECK(span_text(from_ms(59'999)) == "59 s");
  CHECK(span_text(from_ms(65'000)) == "1 min 5 s");
  CHECK(span_text(from_ms(20 * 60'000)) == "20 min");
  CHECK(span_text(from_ms(190 * 60'000 + 7'000)) == "3 h 10 min");
  CHECK(span_text(from_ms(50ull * 3'600'000)) == "2 d 2 h");
  CHECK(span_text(from_ms(24ull * 3'600'000 + 5'000)) == "1 d");
}
