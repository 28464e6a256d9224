// A program's command line: options, arguments and subcommands, each bound to a variable.
//
//   CommandLine line("genai-sim", "Runs simulated fleets.");
//   Command run = line.program().subcommand("run", "Runs some of them");
//   run.option("seeds", seeds, "How many", Range(1, 1000));
//   run.argument("fleet", fleets, "Names of fleets").required();
//   if (const auto exit_code = line.parse(argc, argv)) return *exit_code;
//
// A program whose options may also stand in a file or in the environment uses Options (options.h).
// A list takes one entry at a time; any other option that is given twice is refused. The options of
// a command may also follow a subcommand's name.
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

/// One option or argument. A handle: copies mean the same one, and it is valid as long as its
/// CommandLine.
class Argument {
 public:
  Argument() = default;  // of nothing

  Argument required() const;
  /// Not together with `other`.
  Argument excludes(const Argument& other) const;
  /// Only together with `other`.
  Argument needs(const Argument& other) const;
  /// Its heading in --help; "" hides it.
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
  /// At most one subcommand of a command is given.
  Command subcommand(const std::string& name, const std::string& doc) const;
  void require_subcommand() const;

  /// --name, bound to `target`, which must outlive parse and keeps its value when the option is not
  /// given. `limit` as for Options::add; the entries of a list of Choices may also be separated by
  /// commas. bool is a flag.
  template <class T>
  Argument option(const std::string& name, T& target, const std::string& doc,
                  OptionLimit limit = {}) const {
    return bind("--" + name, OptionTarget(&target), doc, std::move(limit));
  }
  /// What is given without a name, in the order of declaration; a list takes all that is left.
  template <class T>
  Argument argument(const std::string& name, T& target, const std::string& doc,
                    OptionLimit limit = {}) const {
    return bind(name, OptionTarget(&target), doc, std::move(limit));
  }
  /// An option that looks as if it were bound to `shape`, but whose texts the caller reads.
  Argument collect(const std::string& name, const OptionTarget& shape,
                   const std::string& doc) const;

  /// From now on --help says what a variable held when its option was declared.
  void show_defaults() const;
  void footer(const std::string& text) const;
  /// Not in --help.
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

/// Not thread-safe: parse once, at the start. Every program gets --help and --version.
class CommandLine {
 public:
  CommandLine(std::string program, std::string summary, std::string_view version = kVersion);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command program() const;
  const std::string& name() const;
  /// With this option nothing else is required.
  void make_sufficient(const Argument& option);

  /// Fills the variables. Nothing: go on. Otherwise the exit code: 0 after --help and --version, 2
  /// after one line on std::cerr that says what is wrong.
  std::optional<int> parse(int argc, const char* const* argv);

  /// After parse: the names of the subcommands given ("failed list"), "" without.
  std::string given_command() const;

  /// Says what is wrong (in a text that is safe to print) and where the help is, that of the
  /// program or that of the subcommand given; returns kExitUsage.
  int refuse(std::string_view what) const;
  int refuse_command(std::string_view what) const;
  /// The exit code when all that was asked for is a text on standard output.
  int printed() const;

 private:
  std::unique_ptr<Command::State> state_;
};

}  // namespace genai::runtime
