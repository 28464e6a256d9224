#include "dispatcher/note_log.h"

#include <deque>
#include <type_traits>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/runtime/logging.h"

namespace genai::dispatcher {
namespace {

constexpr RateLimit kLimit{1000, from_ms(100)};

runtime::LogLevel level_of(Note::Level level) {
  switch (level) {
    case Note::Level::kDebug:
      return runtime::LogLevel::kDebug;
    case Note::Level::kInfo:
      return runtime::LogLevel::kInfo;
    case Note::Level::kWarn:
      return runtime::LogLevel::kWarn;
  }
  return runtime::LogLevel::kError;
}

}  // namespace

void NoteLog::write(const Note& note, Duration now) {
  const runtime::LogLevel level = level_of(note.level);
  if (!runtime::log_enabled(level)) return;
  std::vector<runtime::Field> fields;
  std::deque<std::string> clipped;  // what the fields view
  for (const auto& [key, value] : note.fields)
    std::visit(
        [&, name = std::string_view(key)](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<V, std::string>)
            fields.emplace_back(
                name, v.size() <= limits::kMaxLogReasonBytes
                          ? v
                          : clipped.emplace_back(clip_text(v, limits::kMaxLogReasonBytes)));
          else if constexpr (std::is_constructible_v<runtime::Field, std::string_view, V>)
            fields.emplace_back(name, v);
        },
        value.v);
  if (note.level != Note::Level::kDebug) {
    RateLimit& limit = limits_.try_emplace(note.text, kLimit).first->second;
    if (!limit.allow(now)) return;
    if (const std::uint64_t count = limit.take_suppressed())
      fields.emplace_back("more_not_shown", count);
  }
  runtime::log_fields(level, note.text, fields);
}

}  // namespace genai::dispatcher
