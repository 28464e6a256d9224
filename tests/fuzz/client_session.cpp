// The client's session core on virtual time: a dispatcher that may answer anything, and a program
// that uses all of its functions.
#include <string>
#include <vector>

#include "tests/fuzz/draw.h"
#include "tests/fuzz/oracle.h"
#include "tools/client/session_core.h"

namespace genai::fuzz {
namespace {

using namespace genai::client;

class World {
 public:
  World(const std::uint8_t* data, std::size_t size) : in_(data, size) {}

  void run() {
    while (!in_.empty()) {
      event();
      core_.check();
      if (!in_.one_in(4)) expire();
      core_.check();
    }
  }

 private:
  std::vector<TaskId> ids() {
    std::vector<TaskId> ids;
    draw_.list("", ids, 0, 0);
    return ids;
  }
  msg::WatchLevel level() { return static_cast<msg::WatchLevel>(in_.below(3)); }

  template <class Event>
  void tell(Event event) {
    core_.handle(std::move(event), now_);
  }
  void event() {
    switch (in_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return tell(SessionCore::Frame{draw_.frame(Direction::kToClient)});
      case 4:
      case 5:
        return tell(SessionCore::Submit{draw_.make<msg::Submission>(), level()});
      case 6:
        return tell(SessionCore::Watch{ids(), level()});
      case 7:
        return tell(SessionCore::Acknowledge{ids()});
      case 8:
        return in_.one_in(2) ? tell(SessionCore::SetAside{}) : tell(SessionCore::Leave{ids()});
      case 9:
        return ask();
      case 10:
        if (core_.next_deadline() != kNever) now_.mono = std::max(now_.mono, core_.next_deadline());
        return;
      default:
        now_.mono += draw_.duration();
    }
  }

  void ask() {
    switch (in_.below(5)) {
      case 0:
        asked_ = core_.handle(SessionCore::Ask{draw_.make<msg::Cancel>()}, now_);
        break;
      case 1:
        asked_ = core_.handle(SessionCore::Ask{draw_.make<msg::Replay>()}, now_);
        break;
      case 2:
        asked_ = core_.handle(SessionCore::Ask{draw_.make<msg::Watch>()}, now_);
        break;
      case 3:
        tell(SessionCore::GiveUp{asked_});
        break;
      default:
        tell(SessionCore::Unknown{draw_.make<TaskId>()});
    }
  }

  void expire() {
    core_.expire(now_);
    for (const SessionCore::Event& event : core_.take_events())
      if (const auto* send = std::get_if<SessionCore::Send>(&event))
        check_sent(send->frame, Direction::kFromClient);
    GENAI_CHECK(core_.next_deadline() > now_.mono);  // or the loop spins
  }

  Input in_;
  Draw draw_{in_};
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  SessionCore core_{now_, !in_.one_in(4)};
  std::uint64_t asked_ = 0;  // the last request of ours
};

}  // namespace
}  // namespace genai::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  genai::fuzz::World(data, size).run();
  return 0;
}
