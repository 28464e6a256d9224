#include "protocol/runtime/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <utility>

#include "protocol/runtime/config_file.h"
#include "protocol/runtime/escape.h"

namespace genai::runtime {
namespace {

constexpr std::array<std::string_view, 5> kLevels{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kFormats{"auto", "text", "json"};
constexpr const char* kCommonGroup = "Common options";

// In the order in which a later one wins.
enum class Source { kDefault, kFile, kEnvironment, kCommandLine };

struct Declared {
  std::string name;  // as on the command line, without "--"
  std::string doc;
  OptionTarget target;
  OptionLimit limit;
  std::string default_text;
  bool in_file = true;
  CLI::Option* argument = nullptr;
  Source source = Source::kDefault;
  std::uint32_t line = 0;  // of the value in the file
};

// A refusal on its way to standard error.
struct Failure {
  int exit_code;
  std::string line;
};
using MaybeFailure = std::optional<Failure>;

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string env_form(std::string_view name) {
  std::string out = with_underscores(std::string(name));
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

bool is_flag(const Declared& option) { return std::holds_alternative<bool*>(option.target); }
bool is_list(const Declared& option) {
  return std::holds_alternative<std::vector<std::string>*>(option.target);
}

template <class Names>
Choices choices(const Names& names) {
  return {{names.begin(), names.end()}};
}

template <class Names>
std::size_t index_of(const Names& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

void check_name(const std::string& name, const OptionTarget& target) {
  const bool ms = std::holds_alternative<std::chrono::milliseconds*>(target);
  const bool s = std::holds_alternative<std::chrono::seconds*>(target);
  const std::string_view unit = ms ? "-ms" : s ? "-s" : "";
  if (!name.ends_with(unit)) {
    throw std::logic_error("option " + name + ": the name must end in " + std::string(unit));
  }
}

std::string lower_first(std::string text) {
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::string markdown_cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
}

std::string code(std::string_view text) { return fmt::format("`{}`", text); }

}  // namespace

struct Options::Impl {
  Impl(std::string name, std::string summary, std::string_view version)
      : program(std::move(name)), app(std::move(summary), program) {
    app.fallthrough();
    app.set_version_flag("--version", fmt::format("{} {}", program, version));
    app.get_option("--version")->description("Print the version and exit")->group(kCommonGroup);
    app.add_flag("--check-config")
        ->description("Check the file, the environment and the command line, then exit")
        ->group(kCommonGroup);
    app.add_flag("--print-options-markdown")->group("");
    declare("config", &config_file, "Read options from this TOML file", {});
    declared.back().in_file = false;
    declare("log-level", &log_level, "Write log lines of this level and above", choices(kLevels));
    declare("log-format", &log_format, "How log lines look; auto: text on a terminal, else JSON",
            choices(kFormats));
    for (Declared& option : declared) option.argument->group(kCommonGroup);
  }

  void declare(std::string name, OptionTarget target, std::string doc, OptionLimit limit);
  CLI::Option* add_argument(const Declared& option, const std::string& description);
  Declared* find(std::string_view name);
  std::string env_name(const Declared& option) const {
    return env_form(program + "-" + option.name);
  }
  std::string key(const Declared& option) const { return with_underscores(option.name); }

  std::optional<int> parse_arguments(int argc, const char* const* argv);
  std::vector<std::string> reversed_arguments(int argc, const char* const* argv);
  int usage_error(const CLI::ParseError& error);
  MaybeFailure read_sources();
  MaybeFailure read_file();
  MaybeFailure read_entry(const ConfigEntry& entry);
  MaybeFailure read_environment(Declared& option);
  MaybeFailure read_argument(Declared& option);
  MaybeFailure set(Declared& option, Source source, const GivenValue& value);
  MaybeFailure check();
  Failure failure(const Declared& option, std::string_view what) const;
  int report(const Failure& failure) const { return report(failure, program); }
  int report(const Failure& failure, const std::string& command) const;
  std::string command_given() const;
  int printed() const;

  std::string program;
  CLI::App app;
  std::vector<Declared> declared;
  std::function<std::optional<OptionProblem>()> validate;
  std::string config_file;
  std::string log_level = "info";
  std::string log_format = "auto";
};

void Options::Impl::declare(std::string name, OptionTarget target, std::string doc,
                            OptionLimit limit) {
  check_name(name, target);
  Declared option{.name = std::move(name),
                  .doc = std::move(doc),
                  .target = target,
                  .limit = std::move(limit),
                  .default_text = current_text(target)};
  const std::string range = limit_text(option.limit, option.target);
  option.argument = add_argument(
      option, fmt::format("{}\n[default {}{}{}; env {}]", option.doc, option.default_text,
                          range.empty() ? "" : "; ", range, env_name(option)));
  declared.push_back(std::move(option));
}

// The parser only collects texts: values from all sources are then read by the same code.
CLI::Option* Options::Impl::add_argument(const Declared& option, const std::string& description) {
  if (is_flag(option)) return app.add_flag("--" + option.name)->description(description);
  CLI::Option* argument = app.add_option("--" + option.name, CLI::callback_t(), description);
  argument->type_name(std::string(placeholder(option.target)) +
                      (is_list(option) ? " (repeatable)" : ""));
  argument->multi_option_policy(is_list(option) ? CLI::MultiOptionPolicy::TakeAll
                                                : CLI::MultiOptionPolicy::TakeLast);
  return argument;
}

Declared* Options::Impl::find(std::string_view name) {
  const auto it = std::find_if(declared.begin(), declared.end(),
                               [&](const Declared& option) { return option.name == name; });
  return it == declared.end() ? nullptr : &*it;
}

// The form that CLI::App::parse takes. It would read "--name=" as "--name" followed by the next
// argument, so an empty value becomes an argument of its own.
std::vector<std::string> Options::Impl::reversed_arguments(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  bool options_ended = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    options_ended = options_ended || argument == "--";
    const bool empty_value =
        !options_ended && argument.starts_with("--") && argument.ends_with('=');
    const Declared* option = empty_value ? find(argument.substr(2, argument.size() - 3)) : nullptr;
    if (option != nullptr && !is_flag(*option)) {
      argument.remove_suffix(1);
      arguments.emplace_back(argument);
      arguments.emplace_back();
    } else {
      arguments.emplace_back(argument);
    }
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

std::optional<int> Options::Impl::parse_arguments(int argc, const char* const* argv) {
  const auto given = [&](const char* flag) { return app.get_option(flag)->count() > 0; };
  try {
    app.parse(reversed_arguments(argc, argv));
  } catch (const CLI::RequiredError& error) {
    // These two ask about the options alone: no subcommand or argument is needed.
    if (!given("--check-config") && !given("--print-options-markdown")) return usage_error(error);
  } catch (const CLI::Success& success) {
    app.exit(success, std::cout, std::cerr);
    return printed();
  } catch (const CLI::ParseError& error) {
    return usage_error(error);
  }
  return std::nullopt;
}

int Options::Impl::usage_error(const CLI::ParseError& error) {
  const auto is = [&](CLI::ExitCodes kind) {
    return error.get_exit_code() == static_cast<int>(kind);
  };
  std::string what = lower_first(error.what()), command = command_given();
  const std::vector<std::string> unexpected = app.remaining(true);
  if (is(CLI::ExitCodes::ExtrasError) && !unexpected.empty()) {
    const std::string& first = unexpected.front();
    what = fmt::format("unknown {} '{}'", first.starts_with('-') ? "option" : "argument", first);
  } else if (is(CLI::ExitCodes::ArgumentMismatch)) {
    for (const Declared& option : declared) {
      if (!what.starts_with("--" + option.name + ":")) continue;
      what = "--" + option.name + ": needs a value";
      command = program;  // whose help has it
    }
  }
  return report({kExitUsage, escaped(what)}, command);
}

MaybeFailure Options::Impl::read_sources() {
  // The file's name has no file to come from, and is needed first.
  Declared& config = *find("config");
  if (auto failed = read_environment(config)) return failed;
  if (auto failed = read_argument(config)) return failed;
  if (config.source != Source::kDefault) {
    if (auto failed = read_file()) return failed;
  }
  for (Declared& option : declared) {
    if (auto failed = read_environment(option)) return failed;
  }
  for (Declared& option : declared) {
    if (auto failed = read_argument(option)) return failed;
  }
  return std::nullopt;
}

MaybeFailure Options::Impl::read_file() {
  const auto entries = read_config_file(config_file);
  if (!entries) return Failure{kExitBadConfig, entries.error()};
  for (const ConfigEntry& entry : *entries) {
    if (auto failed = read_entry(entry)) return failed;
  }
  return std::nullopt;
}

MaybeFailure Options::Impl::read_entry(const ConfigEntry& entry) {
  for (Declared& option : declared) {
    if (option.in_file && key(option) == entry.key) {
      option.line = entry.line;
      return set(option, Source::kFile, entry.value);
    }
  }
  const Declared* meant = find(entry.key);
  const std::string hint =
      meant != nullptr && meant->in_file ? fmt::format("; the key is '{}'", key(*meant)) : "";
  return Failure{kExitBadConfig, fmt::format("{}:{}: key '{}': unknown{}", escaped(config_file),
                                             entry.line, escaped(entry.key), hint)};
}

// Only the declared names are looked up. Others with our prefix are no error: container platforms
// put some there by themselves (GENAI_BROKER_SERVICE_HOST for a service named genai-broker).
MaybeFailure Options::Impl::read_environment(Declared& option) {
  const char* text = std::getenv(env_name(option).c_str());
  if (text == nullptr || *text == '\0') return std::nullopt;
  return set(option, Source::kEnvironment, value_from_text(option.target, text));
}

MaybeFailure Options::Impl::read_argument(Declared& option) {
  const std::vector<std::string>& texts = option.argument->results();
  if (texts.empty()) return std::nullopt;
  if (is_list(option)) return set(option, Source::kCommandLine, texts);
  return set(option, Source::kCommandLine, value_from_text(option.target, texts.back()));
}

MaybeFailure Options::Impl::set(Declared& option, Source source, const GivenValue& value) {
  option.source = source;
  const auto wrong = assign(option.target, option.limit, value);
  if (wrong) return failure(option, *wrong);
  return std::nullopt;
}

MaybeFailure Options::Impl::check() {
  if (!validate) return std::nullopt;
  const std::optional<OptionProblem> problem = validate();
  if (!problem) return std::nullopt;
  const Declared* blamed = nullptr;
  for (const std::string& name : problem->options) {
    const Declared* option = find(name);
    if (option == nullptr) throw std::logic_error("validation names no declared option: " + name);
    if (blamed == nullptr || option->source > blamed->source) blamed = option;
  }
  if (blamed == nullptr) throw std::logic_error("validation names no option");
  return failure(*blamed, escaped(problem->what));
}

// A default can only be at fault because nothing was given: that is the command line's lack.
Failure Options::Impl::failure(const Declared& option, std::string_view what) const {
  switch (option.source) {
    case Source::kFile:
      return {kExitBadConfig, fmt::format("{}:{}: key '{}': {}", escaped(config_file), option.line,
                                          key(option), what)};
    case Source::kEnvironment:
      return {kExitBadConfig, fmt::format("{}: {}", env_name(option), what)};
    case Source::kDefault:
    case Source::kCommandLine:
      break;
  }
  return {kExitUsage, fmt::format("--{}: {}", option.name, what)};
}

/// The program with the subcommand that was given, as its help is asked for.
std::string Options::Impl::command_given() const {
  std::string command = program;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  return command;
}

int Options::Impl::report(const Failure& failure, const std::string& command) const {
  std::cerr << program << ": " << failure.line;
  if (failure.exit_code == kExitUsage) std::cerr << " (see " << command << " --help)";
  std::cerr << std::endl;
  return failure.exit_code;
}

/// The exit code when all that was asked for is a text on standard output.
int Options::Impl::printed() const {
  if (std::cout.flush() && std::fflush(stdout) == 0) return kExitOk;
  return report({kExitFailure, "cannot write to stdout"});
}

Options::Options(std::string program, std::string summary, std::string_view version)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(summary), version)) {}

Options::~Options() = default;

void Options::declare(std::string name, OptionTarget target, std::string doc, OptionLimit limit) {
  impl_->declare(std::move(name), target, std::move(doc), std::move(limit));
}

void Options::on_validate(std::function<std::optional<OptionProblem>()> validate) {
  impl_->validate = std::move(validate);
}

CLI::App& Options::app() { return impl_->app; }

std::optional<int> Options::parse(int argc, const char* const* argv) {
  if (const auto exit_code = impl_->parse_arguments(argc, argv)) return exit_code;
  if (impl_->app.get_option("--print-options-markdown")->count() > 0) {
    std::cout << markdown_table();
    return impl_->printed();
  }
  MaybeFailure failed = impl_->read_sources();
  if (!failed) failed = impl_->check();
  if (failed) return impl_->report(*failed);
  if (impl_->app.get_option("--check-config")->count() > 0) {
    std::cout << "configuration ok\n";
    return impl_->printed();
  }
  return std::nullopt;
}

bool Options::is_given(std::string_view name) const {
  const Declared* option = impl_->find(name);
  if (option == nullptr) throw std::logic_error("no such option: " + std::string(name));
  return option->source != Source::kDefault;
}

LogLevel Options::log_level() const {
  return static_cast<LogLevel>(index_of(kLevels, impl_->log_level));
}

LogFormat Options::log_format() const {
  return static_cast<LogFormat>(index_of(kFormats, impl_->log_format));
}

std::string Options::markdown_table() const {
  std::string table =
      "| Option | Key in the file | Environment variable | Default | Range | Meaning |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const Declared& option : impl_->declared) {
    const std::string range = limit_text(option.limit, option.target);
    table += fmt::format("| {} | {} | {} | {} | {} | {} |\n", code("--" + option.name),
                         option.in_file ? code(impl_->key(option)) : "-",
                         code(impl_->env_name(option)), code(markdown_cell(option.default_text)),
                         range.empty() ? "-" : markdown_cell(range), markdown_cell(option.doc));
  }
  return table;
}

}  // namespace genai::runtime
