// What is known of a message beside its fields. Each struct of node.h, link.h and client.h says it
// once, as kKind: the codec, who may send it and what that costs follow from there, and a test
// holds the tables of SPEC.md to it.
#pragma once

#include <cstdint>
#include <string_view>

namespace genai {

/// Who says it to whom: N node, B broker, D dispatcher, C client.
enum class Way : std::uint8_t {
  kNodeToBroker,
  kBrokerToNode,
  kNodeToDispatcher,  // through the broker, which passes it on unread
  kDispatcherToNode,  // likewise
  kDispatcherToBroker,
  kBrokerToDispatcher,
  kBothOnLink,
  kClientToDispatcher,
  kDispatcherToClient,
  kAny,
};

/// Which way a frame travels on its socket: a type that does not belong there is kNotAllowed.
/// Frames inside ToNodes and FromNodes are kToNode and kFromNode.
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

/// Numbers never change their meaning, and are never used again (SPEC.md, "Versions").
struct MessageKind {
  std::uint64_t number;
  std::string_view name;
  Way way;
};

/// What a client's key must be good for (SPEC.md, "Authorization").
enum class Right {
  kNone,    // any key that is good for clients
  kSubmit,  // the role submit
  kWatch,   // the role watch
  kEither,  // one of the two
  kAdmin,
};

/// What a request costs its sender, of what it may ask in a second. What the answer costs comes on
/// top.
enum class Cost {
  kFree,      // bounded by what was sent, or by what may be queued
  kFlat,      // the same for each
  kPerEntry,  // the more the more tasks it names
};

/// Whether a request is refused while nothing can be written.
enum class Needs {
  kNothing,  // or it is refused task by task
  kStore,    // what was not written may not last, so tasks are not told of
};

/// Of a client. None of these has a default: a request without its price does not compile.
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

/// Whether a reply leaves only after all changes up to now were committed.
enum class Waits {
  kNot,           // it tells of no task
  kForCommit,     // it tells of tasks
  kIfItPromises,  // a refusal leaves at once
};

/// What becomes of a reply that cannot be sent, since its client does not read.
enum class IfUnread {
  kIsTold,      // the client waits for it: it is told that it was dropped
  kComesAgain,  // it is sent again anyway, or may get lost
};

/// To a client.
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
