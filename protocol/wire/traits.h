// Number, name and permitted directions of each message type. Numbers never change their meaning.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/wire/codec.h"

namespace genai::wire {

struct Traits {
  std::uint64_t number;
  std::string_view name;
  unsigned directions;
};

inline constexpr unsigned kFromNode = static_cast<unsigned>(Direction::kFromNode);
inline constexpr unsigned kToNode = static_cast<unsigned>(Direction::kToNode);
inline constexpr unsigned kToBroker = static_cast<unsigned>(Direction::kLinkToBroker);
inline constexpr unsigned kToDispatcher = static_cast<unsigned>(Direction::kLinkToDispatcher);
inline constexpr unsigned kFromClient = static_cast<unsigned>(Direction::kFromClient);
inline constexpr unsigned kToClient = static_cast<unsigned>(Direction::kToClient);

template <class M>
inline constexpr Traits kTraits{};

#define GENAI_TRAITS(Type, number, name, directions) \
  template <>                                        \
  inline constexpr Traits kTraits<msg::Type> {       \
    number, name, directions                         \
  }

GENAI_TRAITS(Hello, 1, "HELLO", kFromNode);
GENAI_TRAITS(Welcome, 2, "WELCOME", kToNode);
GENAI_TRAITS(Heartbeat, 3, "HEARTBEAT", kFromNode);
GENAI_TRAITS(HeartbeatReply, 4, "HEARTBEAT_REPLY", kToNode);
GENAI_TRAITS(Leave, 5, "LEAVE", kFromNode);
GENAI_TRAITS(Bye, 6, "BYE", kFromNode);
GENAI_TRAITS(Goodbye, 7, "GOODBYE", kToNode);

GENAI_TRAITS(Assign, 10, "ASSIGN", kToNode);
GENAI_TRAITS(AssignAck, 11, "ASSIGN_ACK", kFromNode);
GENAI_TRAITS(Progress, 12, "PROGRESS", kFromNode);
GENAI_TRAITS(Result, 13, "RESULT", kFromNode);
GENAI_TRAITS(ResultAck, 14, "RESULT_ACK", kToNode);
GENAI_TRAITS(Abort, 15, "ABORT", kToNode);
GENAI_TRAITS(AbortAck, 16, "ABORT_ACK", kFromNode);
GENAI_TRAITS(Keep, 17, "KEEP", kToNode);

GENAI_TRAITS(LinkHello, 20, "LINK_HELLO", kToBroker);
GENAI_TRAITS(Snapshot, 21, "SNAPSHOT", kToDispatcher);
GENAI_TRAITS(Delta, 22, "DELTA", kToDispatcher);
GENAI_TRAITS(LinkHeartbeat, 23, "LINK_HEARTBEAT", kToBroker | kToDispatcher);
GENAI_TRAITS(ToNodes, 24, "TO_NODES", kToBroker);
GENAI_TRAITS(FromNodes, 25, "FROM_NODES", kToDispatcher);
GENAI_TRAITS(Undelivered, 26, "UNDELIVERED", kToDispatcher);

GENAI_TRAITS(Submit, 40, "SUBMIT", kFromClient);
GENAI_TRAITS(Accepted, 41, "ACCEPTED", kToClient);
GENAI_TRAITS(Watch, 42, "WATCH", kFromClient);
GENAI_TRAITS(Update, 43, "UPDATE", kToClient);
GENAI_TRAITS(Deliver, 44, "DELIVER", kToClient);
GENAI_TRAITS(DeliverAck, 45, "DELIVER_ACK", kFromClient);
GENAI_TRAITS(Cancel, 46, "CANCEL", kFromClient);
GENAI_TRAITS(Cancelled, 47, "CANCELLED", kToClient);
GENAI_TRAITS(StatusQuery, 48, "STATUS", kFromClient);
GENAI_TRAITS(Tasks, 49, "TASKS", kToClient);
GENAI_TRAITS(List, 50, "LIST", kFromClient);
GENAI_TRAITS(NodesQuery, 51, "NODES", kFromClient);
GENAI_TRAITS(NodeList, 52, "NODE_LIST", kToClient);
GENAI_TRAITS(StatsQuery, 53, "STATS", kFromClient);
GENAI_TRAITS(Stats, 54, "STATS_REPLY", kToClient);
GENAI_TRAITS(Drain, 55, "DRAIN", kFromClient);
GENAI_TRAITS(Done, 56, "DONE", kToClient);
GENAI_TRAITS(Ping, 57, "PING", kFromClient);
GENAI_TRAITS(Pong, 58, "PONG", kToClient);
GENAI_TRAITS(Replay, 59, "REPLAY", kFromClient);
GENAI_TRAITS(Purge, 60, "PURGE", kFromClient);
GENAI_TRAITS(Purged, 61, "PURGED", kToClient);
GENAI_TRAITS(Reprioritise, 62, "REPRIORITISE", kFromClient);
GENAI_TRAITS(Reprioritised, 63, "REPRIORITISED", kToClient);

GENAI_TRAITS(ErrorReply, 99, "ERROR",
             kFromNode | kToNode | kToBroker | kToDispatcher | kFromClient | kToClient);
#undef GENAI_TRAITS

}  // namespace genai::wire
