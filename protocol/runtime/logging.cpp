#include "protocol/runtime/logging.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "protocol/runtime/escape.h"
#include "protocol/runtime/log_writer.h"

namespace genai::runtime {
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

LogWriter& writer() {
  // Never destroyed: threads and destructors may log until the very end.
  static auto* one = new LogWriter(STDERR_FILENO);
  return *one;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

/// https://no-color.org, and terminals that know no colours.
bool wants_colours() {
  return isatty(STDERR_FILENO) == 1 && !is_set("NO_COLOR") && is_set("TERM") &&
         std::string_view(std::getenv("TERM")) != "dumb";
}

/// Gives whole lines to the writer.
class WriterSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WriterSink(bool colours) : colours_(colours) {}

 private:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    spdlog::memory_buf_t line;
    formatter_->format(msg, line);
    std::string_view text(line.data(), line.size());
    if (!colours_ || msg.color_range_end <= msg.color_range_start) return writer().write(text);
    constexpr std::array<std::string_view, 5> kColours{"37", "36", "32", "33;1", "31;1"};
    const std::string_view before = text.substr(0, msg.color_range_start);
    const std::string_view level = text.substr(0, msg.color_range_end).substr(before.size());
    writer().write(fmt::format("{}\033[{}m{}\033[m{}", before, kColours.at(msg.level), level,
                               text.substr(msg.color_range_end)));
  }
  void flush_() override {}

  const bool colours_;
};

class Log {
 public:
  Log(std::string_view program, LogFormat format)
      : program_(escaped(program, EscapeFor::kQuoted)),
        json_(format == LogFormat::kJson ||
              (format == LogFormat::kAuto && isatty(STDERR_FILENO) == 0)) {
    auto sink = std::make_shared<WriterSink>(wants_colours());
    sink->set_formatter(formatter());
    logger_ = std::make_unique<spdlog::logger>("genai", std::move(sink));
    // The threshold stands in detail::log_threshold alone.
    logger_->set_level(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view message, std::span<const Field> fields) {
    const std::string line = content(level, message, fields);
    logger_->log(to_spdlog(level), spdlog::string_view_t(line));
  }

  /// The same line, without colours and not written.
  std::string line(LogLevel level, std::string_view message, std::span<const Field> fields) const {
    const std::string whole = content(level, message, fields);
    spdlog::memory_buf_t out;
    formatter()->format({"", to_spdlog(level), spdlog::string_view_t(whole)}, out);
    return {out.data(), out.size()};
  }

 private:
  std::string content(LogLevel level, std::string_view message,
                      std::span<const Field> fields) const {
    return json_ ? json(level, message, fields) : text(message, fields);
  }

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

std::shared_ptr<Log> make_log(std::string_view program, LogFormat format) {
  auto log = std::make_shared<Log>(program, format);
  writer().set_notice([log](std::uint64_t dropped) {
    const Field count("lines", dropped);
    return log->line(LogLevel::kWarn, "log lines were dropped: they could not be written",
                     {&count, 1});
  });
  return log;
}

std::shared_ptr<Log>& the_log() {
  static auto* log = new std::shared_ptr<Log>(make_log("genai", LogFormat::kAuto));  // like writer
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
  std::shared_ptr<Log>& log = the_log();  // first: making it sets the writer's notice
  log = make_log(program, format);
  detail::log_threshold.store(level, std::memory_order_relaxed);
}

bool flush_log(std::chrono::milliseconds limit) { return writer().flush(limit); }

}  // namespace genai::runtime
