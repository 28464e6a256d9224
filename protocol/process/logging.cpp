#include "protocol/process/logging.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "protocol/process/escape.h"

namespace genai::process {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kTakenKeys{"ts", "level", "program", "msg"};

std::string_view level_name(LogLevel level) {
  return kLevelNames.at(static_cast<std::size_t>(level));
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);
}
static_assert(static_cast<int>(LogLevel::kTrace) == SPDLOG_LEVEL_TRACE);
static_assert(static_cast<int>(LogLevel::kError) == SPDLOG_LEVEL_ERROR);

// spdlog's own %l says "warning"; our name is the one that --log-level takes.
class LevelFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm&,
              spdlog::memory_buf_t& out) override {
    fmt::format_to(std::back_inserter(out), "{:<5}", level_name(static_cast<LogLevel>(msg.level)));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelFlag>();
  }
};

// A text is quoted in the text format only where it would not be one word.
bool is_one_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text, EscapeFor::kQuoted);
  out += '"';
}

struct ValueWriter {
  std::string& out;
  bool json;

  void operator()(std::string_view text) const {
    if (!json && is_one_word(text) && text.size() <= kMaxPrintedTextBytes) {
      out += text;
    } else {
      append_quoted(out, text);
    }
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(double value) const {
    // JSON has no number for these.
    if (json && !std::isfinite(value)) {
      append_quoted(out, fmt::format("{}", value));
    } else {
      fmt::format_to(std::back_inserter(out), "{}", value);
    }
  }
  void operator()(std::int64_t value) const {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
  void operator()(std::uint64_t value) const {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
};

std::string field_key(std::string_view key) {
  std::string name = escaped(key, EscapeFor::kQuoted);
  if (std::find(kTakenKeys.begin(), kTakenKeys.end(), key) != kTakenKeys.end()) name += '_';
  return name;
}

class Log {
 public:
  Log(std::string_view program, LogFormat format)
      : program_(escaped(program, EscapeFor::kQuoted)),
        json_(format == LogFormat::kJson ||
              (format == LogFormat::kAuto && isatty(STDERR_FILENO) == 0)) {
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    sink->set_formatter(formatter());
    logger_ = std::make_unique<spdlog::logger>("genai", std::move(sink));
    // The threshold stands in detail::log_threshold alone.
    logger_->set_level(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view message, std::span<const Field> fields) {
    const std::string line = json_ ? json(level, message, fields) : text(message, fields);
    logger_->log(to_spdlog(level), spdlog::string_view_t(line));
  }

 private:
  std::unique_ptr<spdlog::formatter> formatter() const {
    auto made = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    made->add_flag<LevelFlag>('*').set_pattern(json_ ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                                     : "%Y-%m-%dT%H:%M:%S.%eZ %^%*%$ %v");
    return made;
  }

  std::string text(std::string_view message, std::span<const Field> fields) const {
    std::string line = program_ + ": ";
    append_escaped(line, message, EscapeFor::kPlain);
    for (const Field& field : fields) {
      line += ' ';
      line += field_key(field.key);
      line += '=';
      std::visit(ValueWriter{line, false}, field.value);
    }
    return line;
  }

  // The members after "ts", which the pattern writes.
  std::string json(LogLevel level, std::string_view message, std::span<const Field> fields) const {
    std::string line =
        fmt::format(R"("level":"{}","program":"{}","msg":)", level_name(level), program_);
    append_quoted(line, message);
    for (const Field& field : fields) {
      line += ",\"";
      line += field_key(field.key);
      line += "\":";
      std::visit(ValueWriter{line, true}, field.value);
    }
    return line;
  }

  std::string program_;
  bool json_;
  std::unique_ptr<spdlog::logger> logger_;
};

std::unique_ptr<Log>& the_log() {
  // Never destroyed: threads and destructors may log until the very end.
  static auto* log = new std::unique_ptr<Log>(std::make_unique<Log>("genai", LogFormat::kAuto));
  return *log;
}

}  // namespace

namespace detail {

std::atomic<LogLevel> log_threshold{LogLevel::kInfo};

void write_log(LogLevel level, std::string_view message, std::span<const Field> fields) {
  the_log()->write(level, message, fields);
}

}  // namespace detail

void init_logging(std::string_view program, LogLevel level, LogFormat format) {
  the_log() = std::make_unique<Log>(program, format);
  detail::log_threshold.store(level, std::memory_order_relaxed);
}

}  // namespace genai::process
