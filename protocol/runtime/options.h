// A program's options. One declaration gives command line, environment, TOML file and help.
//
//   Options options{"genai-broker", "Keeps the node sessions."};
//   options.add("lost-ms", config.lost, "Silence after which a node is lost", Range{100, 600000});
//   options.on_validate([&]() -> std::optional<OptionProblem> {
//     if (config.suspect < config.lost) return std::nullopt;
//     return OptionProblem{{"suspect-ms", "lost-ms"}, "suspect-ms must be less than lost-ms"};
//   });
//   if (const auto exit_code = options.parse(argc, argv)) return *exit_code;
//
// Of these sources the last one wins: the value of the variable at the declaration (the default),
// the key lost_ms of the file, the environment variable GENAI_BROKER_LOST_MS, the argument
// --lost-ms. A list (a repeatable option) is replaced as a whole; in the environment commas
// separate its entries. An empty environment variable counts as not set. If the command line gives
// a single value twice, the last one counts.
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

/// A problem that the program's own validation has found: the names of its options (at least one),
/// and a sentence. The error names the option whose source wins, and the place of that value.
struct OptionProblem {
  std::vector<std::string> options;
  std::string what;
};

/// Not thread-safe. Call parse once, at the start. Every program also has --help, --version,
/// --config, --check-config, --log-level and --log-format.
class Options {
 public:
  Options(std::string program, std::string summary, std::string_view version = kVersion);
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  /// Declares --name. parse stores its value in `variable` (see OptionTarget), which must live
  /// until then; the present value is the default. A name has lower-case letters and '-', and ends
  /// in the unit of a duration or size (see target_of). A bool is a flag (--name or --name=false).
  /// `limit` is a Range, in the unit of the name, for a number or duration, and Choices for a
  /// std::string. Throws std::logic_error if the declaration is wrong.
  template <class T>
  void add(std::string name, T&& variable, std::string doc, OptionLimit limit = {}) {
    const OptionTarget target = target_of(name, variable);
    declare(std::move(name), target, std::move(doc), std::move(limit));
  }

  /// parse calls it when all variables are set. It returns nothing if they fit together.
  void on_validate(std::function<std::optional<OptionProblem>()> validate);

  /// Returns the command line, for arguments and subcommands: a file or an environment variable
  /// cannot set these.
  CommandLine& command_line();

  /// Fills the variables. Returns nothing if the program should go on, else its exit code: 0 after
  /// --help, --version and --check-config (printed on std::cout), 2 for a bad command line, 78 for
  /// a bad file or environment. One line on std::cerr gives the mistake and its place. Some
  /// variables may already be set then.
  std::optional<int> parse(int argc, const char* const* argv);

  /// After parse: returns whether the value of the option came from a file, the environment or the
  /// command line, even if it equals the default.
  bool is_given(std::string_view name) const;

  /// After parse: return the values of --log-level and --log-format, for init_logging.
  LogLevel log_level() const;
  LogFormat log_format() const;

  /// Returns a Markdown table, for the README, of all options that a file or the environment can
  /// set. The hidden --print-options-markdown prints it. Defaults are those at the declaration.
  std::string markdown_table() const;

 private:
  void declare(std::string name, OptionTarget target, std::string doc, OptionLimit limit);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genai::runtime
