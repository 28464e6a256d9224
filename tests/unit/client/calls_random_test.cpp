// Whatever is lost, repeated, refused or forgotten: each submit gets one verdict and one result.
#include <map>
#include <random>
#include <set>

#include "tests/unit/client/play.h"

using namespace genai;
using namespace genai::client;
using namespace genai::client::test;

namespace {

/// What the callbacks of one submit were told.
struct Told {
  int verdicts = 0;
  int results = 0;
};

/// Forgets everything now and then, as one without a durable store does.
class Dispatcher {
 public:
  Dispatcher(Play& play, std::mt19937& random) : play_(play), random_(random) {}

  void be_fair() { is_fair_ = true; }

  void turn() {
    play_.turn();
    for (const Message& message : std::exchange(play_.sent, {}))
      if (!strikes(5)) std::visit([this](const auto& body) { on(body); }, message);
    if (strikes(60)) {
      ++epoch_;
      tasks_.clear();
    }
    msg::Deliver deliver;
    for (const auto& [id, is_watched] : tasks_)
      if (is_watched && random_() % 3 == 0)
        deliver.entries.push_back({id, TaskStatus::kCompleted, {}, {}, Blob(std::string("d"))});
    if (!deliver.entries.empty()) say(deliver);
  }

 private:
  /// One time in `n`, while it is not fair.
  bool strikes(unsigned n) { return !is_fair_ && random_() % n == 0; }
  void say(const Message& message) {
    if (!strikes(5)) play_.receive(message);
    if (strikes(10)) play_.receive(message);
  }

  void on(const msg::Submit& submit) {
    if (strikes(10)) return say(msg::ErrorReply{submit.request, ErrorCode::kStoreFull, ""});
    msg::Accepted reply{submit.request, {}};
    for (const auto& task : submit.tasks) {
      const bool is_refused = !tasks_.contains(task.task_id) && strikes(6);
      if (!is_refused) tasks_[task.task_id] = submit.watch != msg::WatchLevel::kNone;
      reply.verdicts.push_back(
          {task.task_id, is_refused ? ErrorCode::kQueueFull : ErrorCode::kOk, ""});
    }
    say(reply);
  }
  void on(const msg::Watch& watch) {
    msg::Tasks reply{watch.request, {}, false};
    for (const TaskId& id : watch.ids) {
      const auto it = tasks_.find(id);
      if (it == tasks_.end()) continue;
      it->second = watch.level != msg::WatchLevel::kNone;
      reply.tasks.push_back({{"task_id", id.str()}});
    }
    say(reply);
  }
  void on(const msg::DeliverAck& ack) {
    for (const TaskId& id : ack.ids) tasks_.erase(id);
  }
  void on(const msg::Ping& ping) {
    const auto watched =
        std::ranges::count_if(tasks_, [](const auto& task) { return task.second; });
    say(msg::Pong{ping.request, epoch_, static_cast<std::uint64_t>(watched)});
  }
  template <class M>
  void on(const M&) {
    FAIL("nobody asked for that");
  }

  Play& play_;
  std::mt19937& random_;
  bool is_fair_ = false;
  std::uint64_t epoch_ = 1;
  std::map<TaskId, bool> tasks_;  // whether it is watched
};

}  // namespace

TEST_CASE("each submit gets one verdict and one result") {
  for (unsigned seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Play play;
    Dispatcher dispatcher(play, random);
    std::vector<std::unique_ptr<Told>> told;
    std::set<std::string> kept;
    for (int step = 0; step < 400; ++step) {
      if (random() % 4 == 0) {
        Told& mine = *told.emplace_back(std::make_unique<Told>());
        TaskCallbacks callbacks;
        callbacks.verdict = [&](const Verdict&) { ++mine.verdicts; };
        callbacks.result = [&](const TaskResult& result) {
          REQUIRE(mine.verdicts == 1);
          ++mine.results;
          if (!result.refused) kept.insert(result.id);
        };
        // Few ids, some of them with another content: they meet again.
        const auto name = std::to_string(random() % 30);
        play.submit(request_of("t" + name, random() % 8 == 0 ? "another" : "prompt"), callbacks);
      }
      if (random() % 5 == 0) play.calls.acknowledge({kept.begin(), kept.end()}, play.now);
      play.now.mono += from_ms(random() % 900);
      dispatcher.turn();
    }
    dispatcher.be_fair();
    for (int step = 0; step < 300; ++step) {
      play.calls.acknowledge({kept.begin(), kept.end()}, play.now);
      play.now.mono += from_ms(500);
      dispatcher.turn();
    }
    CHECK(play.calls.open_tasks() == 0);
    REQUIRE(told.size() > 50);
    for (const auto& mine : told) {
      CHECK(mine->verdicts == 1);
      CHECK(mine->results == 1);
    }
  }
}
