// A program's options from one declaration each: command line, environment, TOML file, help.
//
//   Options options{"genai-broker", "Keeps the node sessions."};
//   options.add("lost-ms", config.lost, "Silence after which a node is lost", Range{100, 600000});
//   options.on_validate([&]() -> std::optional<OptionProblem> {
//     if (config.suspect < config.lost) return std::nullopt;
//     return OptionProblem{{"suspect-ms", "lost-ms"}, "suspect-ms must be less than lost-ms"};
//   });
//   if (const auto exit_code = options.parse(argc, argv)) return *exit_code;
//
// A later source wins: the variable's value at declaration (the default), the file's key lost_ms,
// the environment variable GENAI_BROKER_LOST_MS, the argument --lost-ms. A list (repeatable option)
// is replaced as a whole; in the environment its entries are separated by commas. An environment
// variable that is empty counts as not set. A single value given twice on the command line: the
// last one counts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/runtime/command_line.h"
#include "protocol/runtime/logging.h"
#include "protocol/runtime/option_value.h"
#include "protocol/runtime/version.h"

namespace genai::runtime {

/// What a program's own validation found: the options concerned (names as declared, at least one)
/// and a sentence. The error names the option whose source wins, where that value stands.
struct OptionProblem {
  std::vector<std::string> options;
  std::string what;
};

/// Not thread-safe: parse once, at the start. Every program also gets --help, --version, --config,
/// --check-config, --log-level and --log-format.
class Options {
 public:
  Options(std::string program, std::string summary, std::string_view version = kVersion);
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  /// Declares --name bound to `variable` (see OptionTarget), which must outlive parse; what it
  /// holds now is the default. Names are lower case with '-' and end in the unit of a duration or a
  /// size (see target_of). bool is a flag (--name or --name=false). `limit` is a Range for numbers
  /// and durations, in the unit of the name, Choices for std::string. Throws std::logic_error on a
  /// wrong declaration.
  template <class T>
  void add(std::string name, T&& variable, std::string doc, OptionLimit limit = {}) {
    const OptionTarget target = target_of(name, variable);
    declare(std::move(name), target, std::move(doc), std::move(limit));
  }

  /// Called by parse when all variables are set; nothing means that they fit together.
  void on_validate(std::function<std::optional<OptionProblem>()> validate);

  /// The command line beneath, for arguments and subcommands, which no file and no environment
  /// variable sets.
  CommandLine& command_line();

  /// Fills the variables. Nothing: go on. Otherwise the exit code: 0 after --help, --version and
  /// --check-config (which go to std::cout); 2 for a bad command line and 78 for a bad file or
  /// environment, after one line on std::cerr that says what and where. After an exit code the
  /// variables may be partly set.
  std::optional<int> parse(int argc, const char* const* argv);

  /// After parse: whether the option's value came from a file, the environment or the command
  /// line, even if it equals the default.
  bool is_given(std::string_view name) const;

  /// After parse: what --log-level and --log-format say, for init_logging.
  LogLevel log_level() const;
  LogFormat log_format() const;

  /// All options that a file or the environment can set, as a Markdown table for the README;
  /// the hidden --print-options-markdown prints it. Defaults are those at declaration.
  std::string markdown_table() const;

 private:
  void declare(std::string name, OptionTarget target, std::string doc, OptionLimit limit);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::runtime
