#include "broker/notice_log.h"

#include "protocol/runtime/logging.h"

namespace genai::broker {
namespace {

using runtime::LogLevel;

struct Line {
  LogLevel level;
  std::string_view text;
};

Line line_of(Notice::Kind kind) {
  using Kind = Notice::Kind;
  switch (kind) {
    case Kind::kNodeJoined:
      return {LogLevel::kInfo, "node joined"};
    case Kind::kNodeRejoined:
      return {LogLevel::kInfo, "node rejoined"};
    case Kind::kNodeSuspect:
      return {LogLevel::kWarn, "node suspect"};
    case Kind::kNodeBack:
      return {LogLevel::kInfo, "node back"};
    case Kind::kNodeDraining:
      return {LogLevel::kInfo, "node draining"};
    case Kind::kNodeLost:
      return {LogLevel::kWarn, "node lost"};
    case Kind::kNodeLeft:
      return {LogLevel::kInfo, "node left"};
    case Kind::kNodeRefused:
      return {LogLevel::kWarn, "node refused"};
    case Kind::kDispatcherConnected:
      return {LogLevel::kInfo, "dispatcher connected"};
    case Kind::kDispatcherResync:
      return {LogLevel::kInfo, "dispatcher asked for a snapshot"};
    case Kind::kDispatcherGone:
      return {LogLevel::kWarn, "dispatcher gone"};
    case Kind::kDispatcherRefused:
      return {LogLevel::kWarn, "dispatcher refused"};
    case Kind::kMalformedNodeFrame:
      return {LogLevel::kWarn, "frames of nodes refused"};
    case Kind::kMalformedLinkFrame:
      return {LogLevel::kWarn, "frames on the link refused"};
    case Kind::kMassVanish:
      return {LogLevel::kWarn, ""};
    case Kind::kLateLoop:
      return {LogLevel::kWarn, "loop was late"};
  }
  return {LogLevel::kWarn, "notice of an unknown kind"};
}

constexpr RateLimit kLimit{1000, from_ms(100)};

}  // namespace

void NoticeLog::write(const Notice& notice, const Now& now) {
  const auto [level, text] = line_of(notice.kind);
  if (!runtime::log_enabled(level)) return;
  RateLimit& limit = limits_.try_emplace(notice.kind, kLimit).first->second;
  if (!limit.allow(now.mono)) return;
  if (const std::uint64_t count = limit.take_suppressed())
    runtime::log(level, "lines that were too many to show", {{"text", text}, {"count", count}});
  if (notice.kind == Notice::Kind::kNodeRefused)
    runtime::log(level, text,
                 {{"node_id", notice.node_id.str()},
                  {"session", notice.session.short_hex()},
                  {"reason", notice.reason},
                  {"count", notice.count}});
  else if (!notice.node_id.empty() && notice.reason.empty())
    runtime::log(level, text,
                 {{"node_id", notice.node_id.str()}, {"session", notice.session.short_hex()}});
  else if (!notice.node_id.empty())
    runtime::log(level, text,
                 {{"node_id", notice.node_id.str()},
                  {"session", notice.session.short_hex()},
                  {"reason", notice.reason}});
  else if (notice.kind == Notice::Kind::kMassVanish)
    runtime::log(level, notice.reason, {{"nodes", notice.count}});
  else if (notice.kind == Notice::Kind::kLateLoop)
    runtime::log(level, text, {{"late_ms", notice.count}, {"reason", notice.reason}});
  else if (notice.count > 0)
    runtime::log(level, text, {{"count", notice.count}, {"last", notice.reason}});
  else
    runtime::log(level, text, {{"reason", notice.reason}});
}

}  // namespace genai::broker
