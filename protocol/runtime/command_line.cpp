#include "protocol/runtime/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iostream>
#include <utility>

#include "protocol/runtime/escape.h"

namespace genai::runtime {
namespace {

std::string lower_first(std::string text) {
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace

struct Command::State {
  struct Declared {
    CLI::App* command;
    CLI::Option* option;
    std::string name;  // with its "--", unless it is given without a name
    OptionTarget target;
    OptionLimit limit;
    bool is_bound = false;
  };

  State(std::string name, std::string summary)
      : program(std::move(name)), app(std::move(summary), program) {}

  std::string given_command() const;
  std::vector<std::string> reversed(int argc, const char* const* argv) const;
  std::string refusal(const CLI::ParseError& error, bool& is_of_program) const;
  int refuse(std::string_view what, bool is_of_program) const;
  int complain(std::string_view what, std::string_view hint, int exit_code) const;
  std::optional<std::string> assign(const Declared& declared) const;

  std::string program;
  CLI::App app;
  std::vector<Declared> declared;
  std::vector<CLI::Option*> sufficient;
  std::vector<CLI::App*> show_defaults;
};

Argument Argument::required() const { return option_->required(), *this; }
Argument Argument::excludes(const Argument& other) const {
  return option_->excludes(other.option_), *this;
}
Argument Argument::needs(const Argument& other) const {
  return option_->needs(other.option_), *this;
}
Argument Argument::group(const std::string& heading) const {
  return option_->group(heading), *this;
}
bool Argument::is_given() const { return option_->count() > 0; }
const std::vector<std::string>& Argument::texts() const { return option_->results(); }

Command Command::subcommand(const std::string& name, const std::string& doc) const {
  if (app_->get_require_subcommand_max() == 0) app_->require_subcommand(0, 1);
  return {*state_, *app_->add_subcommand(name, doc)};
}

void Command::require_subcommand() const { app_->require_subcommand(1); }

// The parser only collects texts: values from all sources are then read by the same code.
Argument Command::add(const std::string& name, const OptionTarget& shape, const std::string& doc,
                      const std::string& range) const {
  if (is_flag(shape)) return Argument(app_->add_flag(name)->description(doc));
  CLI::Option* const option = app_->add_option(name, CLI::callback_t(), doc);
  const bool many = is_list(shape), positional = option->get_positional();
  option->type_name(std::string(placeholder(shape)) + (range.empty() ? "" : ":" + range) +
                    (many && !positional ? " (repeatable)" : ""));
  if (many && positional) option->expected(CLI::detail::expected_max_vector_size);
  option->multi_option_policy(many ? CLI::MultiOptionPolicy::TakeAll
                                   : CLI::MultiOptionPolicy::TakeLast);
  return Argument(option);
}

Argument Command::collect(const std::string& name, const OptionTarget& shape,
                          const std::string& doc) const {
  const Argument argument = add("--" + name, shape, doc, "");
  state_->declared.push_back({app_, argument.option_, "--" + name, shape, {}});
  return argument;
}

Argument Command::bind(const std::string& name, OptionTarget target, const std::string& doc,
                       OptionLimit limit) const {
  const auto& showing = state_->show_defaults;
  std::string text = doc;
  if (std::find(showing.begin(), showing.end(), app_) != showing.end() && !is_flag(target))
    if (const std::string value = current_text(target); value != kNoText)
      text += fmt::format(" (default: {})", value);
  const Argument argument = add(name, target, text, limit_text(limit, target));
  state_->declared.push_back({app_, argument.option_, name, target, std::move(limit), true});
  return argument;
}

void Command::show_defaults() const { state_->show_defaults.push_back(app_); }
void Command::footer(const std::string& text) const { app_->footer(text); }
void Command::hide() const { app_->group(""); }
bool Command::is_given() const { return app_->parsed(); }

CommandLine::CommandLine(std::string program, std::string summary, std::string_view version)
    : state_(std::make_unique<Command::State>(std::move(program), std::move(summary))) {
  state_->app.fallthrough();
  state_->app.set_version_flag("--version", fmt::format("{} {}", state_->program, version));
  state_->app.get_option("--version")->description("Print the version and exit");
}

CommandLine::~CommandLine() = default;

Command CommandLine::program() const { return {*state_, state_->app}; }
const std::string& CommandLine::name() const { return state_->program; }
void CommandLine::make_sufficient(const Argument& option) {
  state_->sufficient.push_back(option.option_);
}

// The form that CLI::App::parse takes. It would read "--name=" as "--name" followed by the next
// argument, so an empty value becomes an argument of its own.
std::vector<std::string> Command::State::reversed(int argc, const char* const* argv) const {
  const auto takes_value = [&](std::string_view name) {
    return std::any_of(declared.begin(), declared.end(), [&](const Declared& option) {
      return option.name == name && !is_flag(option.target);
    });
  };
  std::vector<std::string> arguments;
  bool options_ended = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    options_ended = options_ended || argument == "--";
    const bool empty_value = !options_ended && argument.starts_with("--") &&
                             argument.ends_with('=') &&
                             takes_value(argument.substr(0, argument.size() - 1));
    if (empty_value) argument.remove_suffix(1);
    arguments.emplace_back(argument);
    if (empty_value) arguments.emplace_back();
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  const auto refuse_parse = [&](const CLI::ParseError& error) {
    bool is_of_program = false;
    const std::string what = state_->refusal(error, is_of_program);
    return state_->refuse(escaped(what), is_of_program);
  };
  try {
    state_->app.parse(state_->reversed(argc, argv));
  } catch (const CLI::RequiredError& error) {
    const auto& enough = state_->sufficient;
    if (std::none_of(enough.begin(), enough.end(), [](auto* option) { return option->count(); }))
      return refuse_parse(error);
  } catch (const CLI::Success& success) {
    state_->app.exit(success, std::cout, std::cerr);
    return printed();
  } catch (const CLI::ParseError& error) {
    return refuse_parse(error);
  }
  for (const Command::State::Declared& declared : state_->declared)
    if (const auto what = state_->assign(declared))
      return state_->refuse(*what, declared.command == &state_->app);
  return std::nullopt;
}

/// Returns what is wrong, if something is.
std::optional<std::string> Command::State::assign(const Declared& given) const {
  if (!given.is_bound || given.option->count() == 0) return std::nullopt;
  const std::vector<std::string>& texts = given.option->results();
  if (texts.size() > 1 && !is_list(given.target) && !is_flag(given.target))
    return given.name + ": given twice";
  const auto what = runtime::assign(given.target, given.limit,
                                    value_from_texts(given.target, given.limit, texts));
  return what ? std::optional(given.name + ": " + *what) : std::nullopt;
}

std::string Command::State::refusal(const CLI::ParseError& error, bool& is_of_program) const {
  const auto is = [&](CLI::ExitCodes kind) {
    return error.get_exit_code() == static_cast<int>(kind);
  };
  const std::string what = lower_first(error.what());
  if (is(CLI::ExitCodes::ExtrasError)) {
    if (const std::vector<std::string> unexpected = app.remaining(true); !unexpected.empty()) {
      const std::string& first = unexpected.front();
      return fmt::format("unknown {} '{}'", first.starts_with('-') ? "option" : "argument", first);
    }
  } else if (is(CLI::ExitCodes::ArgumentMismatch)) {
    for (const Declared& option : declared) {
      if (!what.starts_with(option.name + ":")) continue;
      is_of_program = option.command == &app;
      return option.name + ": needs a value";
    }
  }
  return what;
}

std::string Command::State::given_command() const {
  std::string command;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += (command.empty() ? "" : " ") + at->get_name();
  }
  return command;
}

int Command::State::refuse(std::string_view what, bool is_of_program) const {
  const std::string command = is_of_program ? "" : given_command();
  return complain(what,
                  fmt::format(" (see {}{}{} --help)", program, command.empty() ? "" : " ", command),
                  kExitUsage);
}

int Command::State::complain(std::string_view what, std::string_view hint, int exit_code) const {
  std::cerr << program << ": " << what << hint << std::endl;
  return exit_code;
}

std::string CommandLine::given_command() const { return state_->given_command(); }
int CommandLine::refuse(std::string_view what) const { return state_->refuse(what, true); }
int CommandLine::refuse_command(std::string_view what) const { return state_->refuse(what, false); }

int CommandLine::printed() const {
  if (std::cout.flush() && std::fflush(stdout) == 0) return kExitOk;
  return state_->complain("cannot write to stdout", "", kExitFailure);
}

}  // namespace genai::runtime
