// The properties of a message besides its fields. Each struct of node.h, link.h and client.h has
// them once, as kKind. The codec, the permissions and the prices follow from it, and a test
// compares the tables of SPEC.md with it.
#pragma once

#include <cstdint>
#include <string_view>

namespace genai {

/// Its sender and its receiver: node, broker, dispatcher or client.
enum class Way : std::uint8_t {
  kNodeToBroker,
  kBrokerToNode,
  kNodeToDispatcher,  // the broker passes it on unread
  kDispatcherToNode,  // likewise
  kDispatcherToBroker,
  kBrokerToDispatcher,
  kBothOnLink,
  kClientToDispatcher,
  kDispatcherToClient,
  kAny,
};

/// The direction of a frame on its socket. A type that does not belong there is kNotAllowed. Frames
/// inside ToNodes and FromNodes are kToNode and kFromNode.
enum class Direction : std::uint8_t {
  kFromNode = 1,
  kToNode = 2,
  kLinkToBroker = 4,
  kLinkToDispatcher = 8,
  kFromClient = 16,
  kToClient = 32,
};

constexpr bool travels(Way way, Direction direction) {
  const bool on_link =
      direction == Direction::kLinkToBroker || direction == Direction::kLinkToDispatcher;
  switch (way) {
    case Way::kNodeToBroker:
    case Way::kNodeToDispatcher:
      return direction == Direction::kFromNode;
    case Way::kBrokerToNode:
    case Way::kDispatcherToNode:
      return direction == Direction::kToNode;
    case Way::kDispatcherToBroker:
      return direction == Direction::kLinkToBroker;
    case Way::kBrokerToDispatcher:
      return direction == Direction::kLinkToDispatcher;
    case Way::kBothOnLink:
      return on_link;
    case Way::kClientToDispatcher:
      return direction == Direction::kFromClient;
    case Way::kDispatcherToClient:
      return direction == Direction::kToClient;
    case Way::kAny:
      return true;
  }
  return false;
}

/// A number never changes its meaning, and is never used again (SPEC.md, "Versions").
struct MessageKind {
  std::uint64_t number;
  std::string_view name;
  Way way;
};

/// The role that the key of a client needs (SPEC.md, "Authorization").
enum class Right {
  kNone,    // any key of a client
  kSubmit,  // the role submit
  kWatch,   // the role watch
  kEither,  // the role submit or the role watch
  kAdmin,
};

/// The price of a request, in units of which its sender has a limited number in a second. The price
/// of the answer is added.
enum class Cost {
  kFree,      // another limit applies: on the bytes that were sent, or on the queue
  kFlat,      // each request has the same price
  kPerEntry,  // the price grows with the number of its tasks
};

/// Says whether a request is refused while nothing can be written to the store.
enum class Needs {
  kNothing,  // it is not refused, or each of its tasks is refused alone
  kStore,    // it is refused: a state that is not written may not last, so nobody is told of it
};

/// A request of a client. No member has a default: a request without a price does not compile.
struct RequestKind : MessageKind {
  consteval RequestKind(std::uint64_t its_number, std::string_view its_name, Right its_right,
                        Cost its_cost, Needs its_needs)
      : MessageKind{its_number, its_name, Way::kClientToDispatcher},
        right(its_right),
        cost(its_cost),
        needs(its_needs) {}

  Right right;
  Cost cost;
  Needs needs;
};

/// Says whether a reply must wait until all changes so far are committed.
enum class Waits {
  kNot,           // it says nothing about a task
  kForCommit,     // it says something about tasks
  kIfItPromises,  // a refusal does not wait
};

/// Says what happens when a reply cannot be sent because its client does not read.
enum class IfUnread {
  kIsTold,      // the client waits for it: later it is told that the reply was dropped
  kComesAgain,  // the reply is sent again anyway, or may get lost
};

/// A reply to a client.
struct ReplyKind : MessageKind {
  consteval ReplyKind(std::uint64_t its_number, std::string_view its_name, Waits its_waits,
                      IfUnread its_loss)
      : MessageKind{its_number, its_name, Way::kDispatcherToClient},
        waits(its_waits),
        if_unread(its_loss) {}

  Waits waits;
  IfUnread if_unread;
};

}  // namespace genai
