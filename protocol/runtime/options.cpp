#include "protocol/runtime/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
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
  Argument argument{};
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

template <class Names>
Choices choices(const Names& names) {
  return {{names.begin(), names.end()}};
}

template <class Names>
std::size_t index_of(const Names& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
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
      : line(std::move(name), std::move(summary), version) {
    check_config =
        flag("check-config", "Check the file, the environment and the command line, then exit",
             kCommonGroup);
    print_markdown = flag("print-options-markdown", "", "");
    declare("config", &config_file, "Read options from this TOML file", {});
    declared.back().in_file = false;
    declare("log-level", &log_level, "Write log lines of this level and above", choices(kLevels));
    declare("log-format", &log_format, "How log lines look; auto: text on a terminal, else JSON",
            choices(kFormats));
    for (Declared& option : declared) option.argument.group(kCommonGroup);
  }

  /// A question about the options alone: no subcommand or argument is needed.
  Argument flag(const std::string& name, const std::string& doc, const std::string& group) {
    const Argument argument = line.program().collect(name, static_cast<bool*>(nullptr), doc);
    line.make_sufficient(argument);
    return argument.group(group);
  }

  void declare(std::string name, OptionTarget target, std::string doc, OptionLimit limit);
  Declared* find(std::string_view name);
  std::string env_name(const Declared& option) const {
    return env_form(line.name() + "-" + option.name);
  }
  std::string key(const Declared& option) const { return with_underscores(option.name); }

  MaybeFailure read_sources();
  MaybeFailure read_file();
  MaybeFailure read_entry(const ConfigEntry& entry);
  MaybeFailure read_environment(Declared& option);
  MaybeFailure read_argument(Declared& option);
  MaybeFailure set(Declared& option, Source source, const GivenValue& value);
  MaybeFailure check();
  Failure failure(const Declared& option, std::string_view what) const;
  int report(const Failure& failure) const;

  CommandLine line;
  Argument check_config, print_markdown;
  std::vector<Declared> declared;
  std::function<std::optional<OptionProblem>()> validate;
  std::string config_file;
  std::string log_level = "info";
  std::string log_format = "auto";
};

void Options::Impl::declare(std::string name, OptionTarget target, std::string doc,
                            OptionLimit limit) {
  Declared option{.name = std::move(name),
                  .doc = std::move(doc),
                  .target = target,
                  .limit = std::move(limit),
                  .default_text = current_text(target)};
  const std::string range = limit_text(option.limit, option.target);
  option.argument = line.program().collect(
      option.name, option.target,
      fmt::format("{}\n[default {}{}{}; env {}]", option.doc, option.default_text,
                  range.empty() ? "" : "; ", range, env_name(option)));
  declared.push_back(std::move(option));
}

Declared* Options::Impl::find(std::string_view name) {
  const auto it = std::find_if(declared.begin(), declared.end(),
                               [&](const Declared& option) { return option.name == name; });
  return it == declared.end() ? nullptr : &*it;
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
  if (!option.argument.is_given()) return std::nullopt;
  return set(option, Source::kCommandLine,
             value_from_texts(option.target, option.limit, option.argument.texts()));
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

int Options::Impl::report(const Failure& failure) const {
  if (failure.exit_code == kExitUsage) return line.refuse(failure.line);
  std::cerr << line.name() << ": " << failure.line << std::endl;
  return failure.exit_code;
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

CommandLine& Options::command_line() { return impl_->line; }

std::optional<int> Options::parse(int argc, const char* const* argv) {
  if (const auto exit_code = impl_->line.parse(argc, argv)) return exit_code;
  if (impl_->print_markdown.is_given()) {
    std::cout << markdown_table();
    return impl_->line.printed();
  }
  MaybeFailure failed = impl_->read_sources();
  if (!failed) failed = impl_->check();
  if (failed) return impl_->report(*failed);
  if (impl_->check_config.is_given()) {
    std::cout << "configuration ok\n";
    return impl_->line.printed();
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
