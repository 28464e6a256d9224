// The node's session core on virtual time: a broker that may say anything, and executions that end
// in any order.
#include <set>
#include <string>

#include "tests/fuzz/draw.h"
#include "tests/fuzz/oracle.h"
#include "tools/node/faults.h"
#include "tools/node/session_core.h"

namespace genai::fuzz {
namespace {

using namespace genai::node;

constexpr std::uint32_t kSlots = 2;

CoreConfig config() {
  CoreConfig config{*NodeId::parse("n"), SessionId{}, {}};
  config.meta.slots = kSlots;
  config.meta.models = {"sdxl", ""};
  return config;
}

class World {
 public:
  World(const std::uint8_t* data, std::size_t size) : in_(data, size) {}

  void run() {
    while (!in_.empty()) {
      event();
      if (!in_.one_in(4)) expire();
      core_.check();
    }
  }

 private:
  void event() {
    switch (in_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return core_.handle(SessionCore::Frame{draw_.frame(Direction::kToNode)}, now_);
      case 4:
        return core_.handle(SessionCore::Unsent{}, now_);
      case 5:
        return core_.handle(
            Report::Progress{draw_.make<AssignmentRef>(), in_.byte() / 100.0, draw_.text(SIZE_MAX)},
            now_);
      case 6:
      case 7:
        return finish();
      case 8:
        return leave();
      case 9:
        return in_.one_in(2) ? core_.handle(Report::LoadedModels{{draw_.text()}}, now_)
                             : core_.handle(SessionCore::Drop{draw_.make<AssignmentRef>()}, now_);
      case 10:
        if (core_.next_deadline() != kNever) now_.mono = std::max(now_.mono, core_.next_deadline());
        return;
      default:
        now_.mono += draw_.duration();
    }
  }

  void finish() {
    if (running_.empty()) return;
    const auto at =
        std::next(running_.begin(), static_cast<std::ptrdiff_t>(in_.below(running_.size())));
    const AssignmentRef ref = *at;
    running_.erase(at);
    core_.handle(Report::Finished{ref, result()}, now_);
  }
  TaskResult result() {
    TaskResult result = TaskResult::ok(draw_.text(), draw_.text(SIZE_MAX));
    if (in_.one_in(4)) result = TaskResult::error(draw_.text(SIZE_MAX), 1);
    if (in_.one_in(8)) result = TaskResult::impossible(draw_.text());
    if (in_.one_in(8)) result = TaskResult::returned(draw_.text(SIZE_MAX));
    if (in_.one_in(8)) result = dropped();
    result.load_ms = in_.byte();
    if (in_.one_in(4)) result.loaded_models = {{draw_.text(SIZE_MAX)}};
    return result;
  }
  void leave() {
    switch (in_.below(8)) {
      case 0:
        return core_.handle(Report::Force{}, now_);
      case 1:
        return core_.handle(Report::Leave{draw_.text(SIZE_MAX)}, now_);
      default:
        return;  // seldom, since not much follows
    }
  }

  void expire() {
    core_.expire(now_);
    for (const SessionCore::Event& event : core_.take_events()) {
      if (const auto* send = std::get_if<SessionCore::Send>(&event))
        check_sent(send->frame, Direction::kFromNode);
      const auto* start = std::get_if<SessionCore::Start>(&event);
      if (!start) continue;
      GENAI_CHECK(running_.insert(start->ref).second);
      draw_.know(start->ref);
    }
    GENAI_CHECK(running_.size() <= kSlots);
    for (const AssignmentRef& ref : core_.held()) draw_.know(ref);
    GENAI_CHECK(core_.next_deadline() > now_.mono);  // or the loop spins
  }

  Input in_;
  Draw draw_{in_};
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  SessionCore core_{config(), now_};
  std::set<AssignmentRef> running_;
};

}  // namespace
}  // namespace genai::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  genai::fuzz::World(data, size).run();
  return 0;
}
