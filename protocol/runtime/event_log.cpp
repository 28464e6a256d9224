#include "protocol/runtime/event_log.h"

#include <deque>
#include <type_traits>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/runtime/logging.h"

namespace genai::runtime {
namespace {

constexpr RateLimit kLimit{1000, from_ms(100)};

LogLevel level_of(LogEvent::Level level) {
  switch (level) {
    case LogEvent::Level::kDebug:
      return LogLevel::kDebug;
    case LogEvent::Level::kInfo:
      return LogLevel::kInfo;
    case LogEvent::Level::kWarn:
      return LogLevel::kWarn;
  }
  return LogLevel::kError;
}

}  // namespace

void EventLog::write(const LogEvent& event, Duration now) {
  const LogLevel level = level_of(event.level);
  if (!log_enabled(level)) return;
  std::vector<Field> fields;
  std::deque<std::string> clipped;  // what the fields view
  for (const auto& [key, value] : event.fields)
    std::visit(
        [&, name = std::string_view(key)](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<V, std::string>)
            fields.emplace_back(
                name, v.size() <= limits::kMaxLogReasonBytes
                          ? v
                          : clipped.emplace_back(clip_text(v, limits::kMaxLogReasonBytes)));
          else if constexpr (std::is_constructible_v<Field, std::string_view, V>)
            fields.emplace_back(name, v);
        },
        value.v);
  if (event.level != LogEvent::Level::kDebug) {
    RateLimit& limit = limits_.try_emplace(event.text, kLimit).first->second;
    if (!limit.allow(now)) return;
    if (const std::uint64_t count = limit.take_suppressed())
      fields.emplace_back("more_not_shown", count);
  }
  log_fields(level, event.text, fields);
}

}  // namespace genai::runtime
