// The broker's core on virtual time, with events drawn from the input.
#include <string>
#include <vector>

#include "broker/core.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/oracle.h"

namespace genai::fuzz {
namespace {

using namespace genai::broker;

class World {
 public:
  World(const std::uint8_t* data, std::size_t size) : in_(data, size) {}

  void run() {
    while (!in_.empty()) {
      event();
      collect();
      core_.check_invariants();
    }
  }

 private:
  std::string peer(const char* side, std::size_t count) {
    return side + std::to_string(in_.below(count));
  }

  void event() {
    switch (in_.below(8)) {
      case 0:
      case 2:
        return core_.handle_node_frame(peer("n", 6), Identity::anyone(),
                                       draw_.frame(Direction::kFromNode), now_, effects_);
      case 1:
      case 3:
        return core_.handle_link_frame(peer("d", 2), Identity::anyone(),
                                       draw_.frame(Direction::kLinkToBroker), now_, effects_);
      case 4:
        if (!sent_.empty())
          core_.handle_undeliverable(sent_[in_.below(sent_.size())], ErrorCode::kPeerFull, now_,
                                     effects_);
        return;
      case 5:
        return core_.handle_link_undeliverable(peer("d", 2), ErrorCode::kUnreachable, now_,
                                               effects_);
      case 6:
        now_.mono = std::max(now_.mono, core_.next_deadline());
        return tick();
      default:
        now_.mono += draw_.duration();
        return tick();
    }
  }

  void tick() {
    core_.tick(now_, effects_);
    GENAI_CHECK(core_.next_deadline() > now_.mono);  // or the loop spins
  }

  void collect() {
    for (const NodeOutput& output : effects_.to_nodes)
      if (!output.parcel_of) check_sent(output.frame, Direction::kToNode);
    for (const LinkOutput& output : effects_.to_link)
      check_sent(output.frame, Direction::kLinkToDispatcher);
    sent_ = std::move(effects_.to_nodes);
    effects_.clear();
  }

  Input in_;
  Draw draw_{in_};
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  Core core_{{InstanceId{}, {}, 3}, now_};
  Effects effects_;
  std::vector<NodeOutput> sent_;
};

}  // namespace
}  // namespace genai::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  genai::fuzz::World(data, size).run();
  return 0;
}
