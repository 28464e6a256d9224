// The benchmark's own nodes, against a broker played by the test.
#include "tools/bench/echo_fleet.h"

#include <catch2/catch.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/transport/socket.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/node.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using namespace genai::bench;

namespace {

struct Broker {
  genai::test::TempFolder folder;
  const std::string endpoint = "ipc://" + (folder / "nodes");
  transport::Context context;
  transport::Router socket{context, {limits::kMaxFrameBytes, 1000, 1000}};
  std::string node;  // its connection

  Broker() { REQUIRE(socket.bind(endpoint)); }

  /// The next message of that type; others are passed over.
  template <class M>
  M await() {
    using Any =
        std::conditional_t<M::kKind.way == Way::kNodeToBroker, NodeToBroker, NodeToDispatcher>;
    transport::PollSet poll;
    poll.add(socket);
    for (int waits = 0; waits < 100; ++waits) {
      while (auto received = socket.receive()) {
        node = received->peer;
        if (auto message = decode<Any>(received->frame))
          if (auto* wanted = std::get_if<M>(&*message)) return std::move(*wanted);
      }
      poll.wait(from_ms(100));
    }
    FAIL("not within 10 s");
    return {};
  }
  void say(const ToNode& message) {
    REQUIRE(socket.send(node, encode(message)) == transport::SendResult::kQueued);
  }
};

}  // namespace

TEST_CASE("the benchmark's nodes send a result again until it is acknowledged") {
  Broker broker;
  EchoFleet fleet({broker.endpoint, 1, 4, 16, from_ms(10)});
  CHECK(broker.await<msg::Hello>().meta.slots == 4);
  broker.say(msg::Welcome{InstanceId(InstanceId::Bytes{1}), 1000, 3000, 5000});
  const AssignmentRef ref{*TaskId::parse("t"), 1, 1};
  broker.say(msg::Assign{{{ref, make_spec({}, {}), Blob("p")}}});

  CHECK(broker.await<msg::Result>().entries.at(0).ref == ref);
  CHECK(broker.await<msg::Result>().entries.at(0).ref == ref);  // it was lost, as far as it knows
  CHECK(fleet.executed() == 1);
  CHECK(fleet.resent() >= 1);

  broker.say(msg::ResultAck{{{ref, ErrorCode::kOk}}});
  // Results that were on their way come first, then a heartbeat without the task.
  while (!broker.await<msg::Heartbeat>().held.empty()) continue;
}
