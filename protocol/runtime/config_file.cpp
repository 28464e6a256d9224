#include "protocol/runtime/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "protocol/runtime/escape.h"
#include "protocol/runtime/read_file.h"

namespace genai::runtime {
namespace {

using Unexpected = tl::unexpected<std::string>;

tl::expected<std::string, std::string> read_text(const std::string& path) {
  return read_file(path, kMaxConfigFileBytes).map_error([&](const std::string& reason) {
    return fmt::format("{}: cannot read the configuration file: {}", escaped(path), reason);
  });
}

std::string_view kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list of other things";
    default:
      return "a date or time";
  }
}

GivenValue array_value(const toml::array& array) {
  std::vector<std::string> texts;
  for (const toml::node& node : array) {
    const auto* text = node.as_string();
    if (text == nullptr) return OtherValue{std::string(kind(array))};
    texts.push_back(text->get());
  }
  return texts;
}

GivenValue node_value(const toml::node& node) {
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* array = node.as_array()) return array_value(*array);
  return OtherValue{std::string(kind(node))};
}

// toml++ reports a duplicate as "... cannot redefine existing integer 'lost_ms' as integer".
std::optional<std::string_view> duplicate_key(std::string_view description) {
  const std::size_t start = description.find("cannot redefine existing ");
  if (start == std::string_view::npos) return std::nullopt;
  const std::size_t open = description.find('\'', start);
  const std::size_t close = description.find('\'', open + 1);
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  return description.substr(open + 1, close - open - 1);
}

std::string syntax_error(const std::string& path, const toml::parse_error& error) {
  const std::string where = fmt::format("{}:{}", escaped(path), error.source().begin.line);
  if (const auto key = duplicate_key(error.description())) {
    return fmt::format("{}: key '{}': given twice", where, escaped(*key));
  }
  return fmt::format("{}: not valid TOML: {}", where, escaped(error.description()));
}

}  // namespace

tl::expected<std::vector<ConfigEntry>, std::string> read_config_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return Unexpected(text.error());
  std::vector<ConfigEntry> entries;
  try {
    for (const auto& [key, node] : toml::parse(*text, path)) {
      entries.push_back({std::string(key.str()), key.source().begin.line, node_value(node)});
    }
  } catch (const toml::parse_error& error) {
    return Unexpected(syntax_error(path, error));
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  return entries;
}

}  // namespace genai::runtime
