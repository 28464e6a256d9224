// Structured log lines on stderr: a message and key-value fields.
//
//   log_info("node joined", {{"node", id}, {"slots", 2}});
//
// text: 2026-11-23T18:00:00.123Z info  genai-broker: node joined node=a slots=2
// json: {"ts":"2026-11-23T18:00:00.123Z","level":"info","program":"genai-broker",
//        "msg":"node joined","node":"a","slots":2}   (one line)
//
// Messages and fields may have any text of a peer: see escape.h. Times are UTC.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <variant>

namespace genai::runtime {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

/// kAuto means text if stderr is a terminal, else json.
enum class LogFormat { kAuto, kText, kJson };

/// One key and its value, for one call only: texts are views. The keys ts, level, program and msg
/// are in use: a field with such a name gets a '_' at its end.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <std::convertible_to<std::string_view> T>
  Field(std::string_view k, const T& v) : key(k), value(std::string_view(v)) {}
  template <std::signed_integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view k, T v)
      : key(k), value(static_cast<std::uint64_t>(v)) {}
  template <std::floating_point T>
  Field(std::string_view k, T v) : key(k), value(static_cast<double>(v)) {}
  template <std::same_as<bool> T>
  Field(std::string_view k, T v) : key(k), value(v) {}

  std::string_view key;
  Value value;
};

using Fields = std::initializer_list<Field>;

/// Sets the level, format and name of all later lines. Call it once, before other threads start.
/// Without it, lines of info and above are written in the format kAuto, with the name "genai".
void init_logging(std::string_view program, LogLevel level, LogFormat format);

namespace detail {
extern std::atomic<LogLevel> log_threshold;
void write_log(LogLevel level, std::string_view message, std::span<const Field> fields);
}  // namespace detail

/// Returns whether lines of `level` are written. Call it before you prepare costly fields.
inline bool log_enabled(LogLevel level) {
  return level >= detail::log_threshold.load(std::memory_order_relaxed);
}

/// Writes one line and does not wait (log_writer.h). While stderr blocks, lines wait in memory;
/// beyond the limit they are dropped and counted. The end of the process waits up to 1 s for the
/// last lines. Thread-safe. No text makes it throw. If stderr fails, lines are lost.
inline void log(LogLevel level, std::string_view message, Fields fields = {}) {
  if (log_enabled(level)) detail::write_log(level, message, {fields.begin(), fields.size()});
}
/// The same, for a list of fields that is made at run time.
inline void log_fields(LogLevel level, std::string_view message, std::span<const Field> fields) {
  if (log_enabled(level)) detail::write_log(level, message, fields);
}
inline void log_trace(std::string_view message, Fields fields = {}) {
  log(LogLevel::kTrace, message, fields);
}
inline void log_debug(std::string_view message, Fields fields = {}) {
  log(LogLevel::kDebug, message, fields);
}
inline void log_info(std::string_view message, Fields fields = {}) {
  log(LogLevel::kInfo, message, fields);
}
inline void log_warn(std::string_view message, Fields fields = {}) {
  log(LogLevel::kWarn, message, fields);
}
inline void log_error(std::string_view message, Fields fields = {}) {
  log(LogLevel::kError, message, fields);
}

/// Waits until all lines are written, but not longer than that. Returns whether they are.
bool flush_log(std::chrono::milliseconds limit);

}  // namespace genai::runtime
