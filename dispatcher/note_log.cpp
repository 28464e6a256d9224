#include "dispatcher/note_log.h"

#include <deque>
#include <type_traits>
#include <vector>

#include "protocol/limits.h"
#include "protocol/process/logging.h"
#include "protocol/text.h"

namespace genai::dispatcher {
namespace {

constexpr process::RateLimit kLimit{1000, from_ms(100)};

process::LogLevel level_of(Note::Level level) {
  switch (level) {
    case Note::Level::kDebug:
      return process::LogLevel::kDebug;
    case Note::Level::kInfo:
      return process::LogLevel::kInfo;
    case Note::Level::kWarn:
      return process::LogLevel::kWarn;
  }
  return process::LogLevel::kError;
}

}  // namespace

void NoteLog::write(const Note& note, Duration now) {
  const process::LogLevel level = level_of(note.level);
  if (!process::log_enabled(level)) return;
  std::vector<process::Field> fields;
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
          else if constexpr (std::is_constructible_v<process::Field, std::string_view, V>)
            fields.emplace_back(name, v);
        },
        value.v);
  if (note.level != Note::Level::kDebug) {
    process::RateLimit& limit = limits_.try_emplace(note.text, kLimit).first->second;
    if (!limit.allow(now)) return;
    if (const std::uint64_t count = limit.take_suppressed())
      fields.emplace_back("more_not_shown", count);
  }
  process::log_fields(level, note.text, fields);
}

}  // namespace genai::dispatcher
