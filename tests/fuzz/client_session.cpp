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
      check_none(core_.check_invariants());
      if (!in_.one_in(4)) tick();
      check_none(core_.check_invariants());
    }
  }

 private:
  std::vector<TaskId> ids() {
    std::vector<TaskId> ids;
    draw_.list("", ids, 0, 0);
    return ids;
  }
  msg::WatchLevel level() { return static_cast<msg::WatchLevel>(in_.below(3)); }

  void event() {
    switch (in_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return core_.handle(draw_.frame(Direction::kToClient), now_);
      case 4:
      case 5:
        return core_.submit(draw_.make<msg::Submission>(), level(), now_);
      case 6:
        return core_.watch(ids(), level(), now_);
      case 7:
        return core_.acknowledge(ids());
      case 8:
        return in_.one_in(2) ? core_.set_aside() : core_.leave(ids());
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
        asked_ = core_.request(draw_.make<msg::Cancel>(), now_);
        break;
      case 1:
        asked_ = core_.request(draw_.make<msg::Replay>(), now_);
        break;
      case 2:
        asked_ = core_.request(draw_.make<msg::Watch>(), now_);
        break;
      case 3:
        core_.forget(asked_);
        break;
      default:
        core_.unwatch(draw_.make<TaskId>());
    }
  }

  void tick() {
    core_.tick(now_);
    const Effects effects = core_.take_effects();
    for (const std::string& frame : effects.frames) check_sent(frame, Direction::kFromClient);
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
