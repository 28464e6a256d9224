// A program's command line: options, arguments and subcommands, each bound to a variable.
//
//   CommandLine line("genai-sim", "Runs simulated fleets.");
//   Command run = line.program().subcommand("run", "Runs some of them");
//   run.option("seeds", seeds, "How many", Range(1, 1000));
//   run.argument("fleet", fleets, "Names of fleets").required();
//   if (const auto exit_code = line.parse(argc, argv)) return *exit_code;
//
// A program whose options may also be set in a file or in the environment uses Options (options.h).
// A list option takes one entry each time. Any other option may be given once. The options of a
// command may also follow the name of a subcommand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/runtime/option_value.h"
#include "protocol/runtime/version.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace genai::runtime {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitBadConfig = 78;

/// One option or argument. This is a handle: its copies stand for the same option. It is valid as
/// long as its CommandLine.
class Argument {
 public:
  Argument() = default;  // stands for no option

  Argument required() const;
  /// It must not be given together with `other`.
  Argument excludes(const Argument& other) const;
  /// It must be given together with `other`.
  Argument needs(const Argument& other) const;
  /// Sets its heading in --help; "" hides it.
  Argument group(const std::string& heading) const;

  // After parse:
  bool is_given() const;
  const std::vector<std::string>& texts() const;

 private:
  friend class Command;
  friend class CommandLine;
  explicit Argument(CLI::Option* option) : option_(option) {}

  CLI::Option* option_ = nullptr;
};

/// The program itself, or a subcommand. A handle, like Argument.
class Command {
 public:
  /// Adds a subcommand. The command line names at most one subcommand of a command.
  Command subcommand(const std::string& name, const std::string& doc) const;
  void require_subcommand() const;

  /// Adds --name. parse stores its value in `target`, which must live until then; without the
  /// option `target` does not change. `limit` is as in Options::add. The entries of a list of
  /// Choices may also be separated by commas. A bool is a flag.
  template <class T>
  Argument option(const std::string& name, T& target, const std::string& doc,
                  OptionLimit limit = {}) const {
    return bind("--" + name, OptionTarget(&target), doc, std::move(limit));
  }
  Argument option(const std::string& name, Milliseconds target, const std::string& doc,
                  OptionLimit limit = {}) const {
    return bind("--" + name, target_of(name, target), doc, std::move(limit));
  }
  /// Adds an argument without a name. The order is that of declaration; a list takes the rest.
  template <class T>
  Argument argument(const std::string& name, T& target, const std::string& doc,
                    OptionLimit limit = {}) const {
    return bind(name, OptionTarget(&target), doc, std::move(limit));
  }
  /// Adds an option with the help of a `shape`, whose texts the caller reads.
  Argument collect(const std::string& name, const OptionTarget& shape,
                   const std::string& doc) const;

  /// From now on --help shows the value of each variable at the declaration of its option.
  void show_defaults() const;
  void footer(const std::string& text) const;
  /// Hides it in --help.
  void hide() const;

  /// After parse.
  bool is_given() const;

 private:
  friend class CommandLine;
  struct State;
  Command(State& state, CLI::App& app) : state_(&state), app_(&app) {}
  Argument bind(const std::string& name, OptionTarget target, const std::string& doc,
                OptionLimit limit) const;
  Argument add(const std::string& name, const OptionTarget& shape, const std::string& doc,
               const std::string& range) const;

  State* state_;  // of the CommandLine
  CLI::App* app_;
};

/// Not thread-safe. Call parse once, at the start. Every program has --help and --version.
class CommandLine {
 public:
  CommandLine(std::string program, std::string summary, std::string_view version = kVersion);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command program() const;
  const std::string& name() const;
  /// If this option is given, nothing else is required.
  void make_sufficient(const Argument& option);

  /// Fills the variables. Returns nothing if the program should go on, else its exit code: 0 after
  /// --help and --version, 2 after a mistake, which one line on std::cerr describes.
  std::optional<int> parse(int argc, const char* const* argv);

  /// After parse: returns the names of the subcommands that were given ("failed list"), or "".
  std::string given_command() const;

  /// Prints the mistake (a text that is safe to print) and how to get the help of the program or of
  /// the subcommand. Returns kExitUsage.
  int refuse(std::string_view what) const;
  int refuse_command(std::string_view what) const;
  /// Returns the exit code of a run that only prints a text on standard output.
  int printed() const;

 private:
  std::unique_ptr<Command::State> state_;
};

}  // namespace genai::runtime
