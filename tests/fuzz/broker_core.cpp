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
      core_.check();
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
        return core_.handle(
            NodeFrame{{peer("n", 6), Identity::anyone()}, draw_.frame(Direction::kFromNode)}, now_);
      case 1:
      case 3:
        return core_.handle(
            LinkFrame{{peer("d", 2), Identity::anyone()}, draw_.frame(Direction::kLinkToBroker)},
            now_);
      case 4:
        if (!sent_.empty())
          core_.handle(Undeliverable{sent_[in_.below(sent_.size())], ErrorCode::kPeerFull}, now_);
        return;
      case 5:
        return core_.handle(LinkUndeliverable{peer("d", 2), ErrorCode::kUnreachable}, now_);
      case 6:
        now_.mono = std::max(now_.mono, core_.next_deadline());
        return expire();
      default:
        now_.mono += draw_.duration();
        return expire();
    }
  }

  void expire() {
    const bool behind = in_.one_in(4);
    core_.handle(SocketsRead{behind}, now_);
    core_.expire(now_);
    collect();
    GENAI_CHECK(behind || core_.next_deadline() > now_.mono);  // or the loop spins
  }

  void collect() {
    Events events = core_.take_events();
    for (const NodeOutput& output : events.to_nodes)
      if (!output.parcel_of) check_sent(output.frame, Direction::kToNode);
    for (const LinkOutput& output : events.to_link)
      check_sent(output.frame, Direction::kLinkToDispatcher);
    if (!events.to_nodes.empty()) sent_ = std::move(events.to_nodes);
  }

  Input in_;
  Draw draw_{in_};
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  Core core_{{InstanceId{}, {}, 3}, now_};
  std::vector<NodeOutput> sent_;
};

}  // namespace
}  // namespace genai::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  genai::fuzz::World(data, size).run();
  return 0;
}
