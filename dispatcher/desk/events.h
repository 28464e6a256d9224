// What comes of a client's request: answers, and wishes that others carry out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "dispatcher/tasks/lifecycle.h"
#include "protocol/base/log_event.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

namespace desk_event {

struct Reply {
  static constexpr std::string_view kName = "reply";
  std::string peer;
  ClientReply message;
};
struct SendUpdate {
  static constexpr std::string_view kName = "send UPDATE";
  std::string peer;
  msg::Update::Entry entry;
};
struct SendResult {
  static constexpr std::string_view kName = "send DELIVER";
  std::string peer;
  msg::Deliver::Entry entry;
};
/// The result stands apart: it is to be read, and ResultRead brings it.
struct ReadResult {
  static constexpr std::string_view kName = "read result";
  Task* task;
  std::string peer;
};
/// A client has asked for this part of the result, which stands apart. PartRead brings it.
struct ReadPart {
  static constexpr std::string_view kName = "read part";
  Task* task;
  std::string peer;
  std::uint64_t request;
  std::uint64_t offset, bytes;
};

/// A client has the result of the task, and nobody else waits for it.
struct Fetched {
  static constexpr std::string_view kName = "result fetched";
  Task* task;
};
/// A task that has ended need not be kept any longer.
struct Purge {
  static constexpr std::string_view kName = "purge";
  Task* task;
};
/// To be kept in the log of the task.
struct Annotate {
  static constexpr std::string_view kName = "annotate";
  Task* task;
  std::string text;
};
struct DrainNode {
  static constexpr std::string_view kName = "drain node";
  NodeId node;
  bool on;
};
/// A client was refused: its frame could not be read, or asked for what its key may not.
struct Refused {
  static constexpr std::string_view kName = "client refused";
};

}  // namespace desk_event

using DeskEvent =
    std::variant<desk_event::Reply, desk_event::SendUpdate, desk_event::SendResult,
                 desk_event::ReadResult, desk_event::ReadPart, Accept, Cancel, Reprioritise,
                 desk_event::Fetched, desk_event::Purge, desk_event::Annotate,
                 desk_event::DrainNode, desk_event::Refused, LogEvent>;

}  // namespace genai::dispatcher
