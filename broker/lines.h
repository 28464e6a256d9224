// The lines that the broker writes for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "broker/registry.h"
#include "protocol/base/errors.h"
#include "protocol/base/log_event.h"

namespace genai::broker {

struct Line {
  LogEvent::Level level;
  std::string_view text;
};

namespace line {

using enum LogEvent::Level;

// About a node: node_id, session, and the reason where there is one.
inline constexpr Line kNodeJoined{kInfo, "node joined"};
inline constexpr Line kNodeRejoined{kInfo, "node rejoined"};  // its session, on a new connection
inline constexpr Line kNodeSuspect{kWarn, "node suspect"};
inline constexpr Line kNodeBack{kInfo, "node back"};  // was suspect
inline constexpr Line kNodeDraining{kInfo, "node draining"};
inline constexpr Line kNodeLost{kWarn, "node lost"};
inline constexpr Line kNodeLeft{kInfo, "node left"};
// Also count: those since the last such line, this one included.
inline constexpr Line kNodeRefused{kWarn, "node refused"};

// reason.
inline constexpr Line kDispatcherConnected{kInfo, "dispatcher connected"};
inline constexpr Line kDispatcherResync{kInfo, "dispatcher asked for a snapshot"};
inline constexpr Line kDispatcherGone{kWarn, "dispatcher gone"};

// count, as above; last: the reason of this one.
inline constexpr Line kDispatcherRefused{kWarn, "dispatcher refused"};
inline constexpr Line kMalformedNode{kWarn, "frames of nodes refused"};
inline constexpr Line kMalformedLink{kWarn, "frames on the link refused"};

// nodes: how many.
inline constexpr Line kMassVanish{
    kWarn, "most nodes vanished at once: suspecting this machine's own network"};
// late_ms, reason.
inline constexpr Line kLateLoop{kWarn, "loop was late"};

inline constexpr Line kAll[] = {
    kNodeJoined,          kNodeRejoined,     kNodeSuspect,    kNodeBack,
    kNodeDraining,        kNodeLost,         kNodeLeft,       kNodeRefused,
    kDispatcherConnected, kDispatcherResync, kDispatcherGone, kDispatcherRefused,
    kMalformedNode,       kMalformedLink,    kMassVanish,     kLateLoop};

}  // namespace line

inline std::string text_of(const Error& error) {
  return std::string(name(error.code)) + ": " + error.detail;
}

inline LogEvent event_of(const Line& line) { return {line.level, std::string(line.text), {}}; }

inline LogEvent about_node(const Line& line, const NodeId& node, const SessionId& session,
                           const std::string& reason = {}) {
  LogEvent event = event_of(line);
  event.fields = {{"node_id", node.str()}, {"session", session.short_hex()}};
  if (!reason.empty()) event.fields.emplace_back("reason", reason);
  return event;
}
inline LogEvent about_node(const Line& line, const Session& session,
                           const std::string& reason = {}) {
  return about_node(line, session.node_id, session.id, reason);
}

inline LogEvent with_reason(const Line& line, std::string reason) {
  LogEvent event = event_of(line);
  event.fields.emplace_back("reason", std::move(reason));
  return event;
}

/// `count`: of those since the last such line.
inline LogEvent counted(const Line& line, std::uint64_t count, std::string last) {
  LogEvent event = event_of(line);
  event.fields = {{"count", count}, {"last", std::move(last)}};
  return event;
}

}  // namespace genai::broker
