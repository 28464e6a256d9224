#include "tools/ctl/prompts.h"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/wire/open_map.h"

namespace genai::ctl {
namespace {

using client::Param;
using client::TaskRequest;
using nlohmann::json;

std::string label_of(std::string_view prompt) {
  const std::size_t end = prompt.find_first_of(std::string_view("\n\0", 2));
  return clip_text(prompt.substr(0, end), limits::kMaxNameBytes);
}

// More would not fit into the dispatcher's queue, nor well into this machine's memory.
constexpr std::size_t kMaxInputBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxPrompts = 1'000'000;
// Base64 takes 4 bytes for 3; the other keys have limits of their own.
constexpr std::size_t kMaxJsonLineBytes = limits::kMaxPayloadBytes / 3 * 4 + (1u << 20);

void add(std::vector<Prompt>& prompts, std::size_t line, TaskRequest request) {
  if (prompts.size() == kMaxPrompts)
    throw InputError("more than " + std::to_string(kMaxPrompts) + " tasks: submit them in parts");
  prompts.push_back({line, std::move(request)});
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

void add_param(TaskRequest& request, const std::string& text) {
  auto [key, value] = parse_param(text);
  if (!request.params.emplace(key, std::move(value)).second)
    throw InputError("--param " + key + ": given twice");
}

TaskRequest defaults_from(const SubmitOptions& o) {
  TaskRequest request = o.task;
  for (const std::string& text : o.params) add_param(request, text);
  return request;
}

/// get<>() would wrap negative and large numbers and cut fractions off.
std::uint64_t whole(const json& value, std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max)
    throw InputError("expected a whole number from 0 to " + std::to_string(max));
  return value.get<std::uint64_t>();
}

/// The reader of JSON makes a fraction of a whole number that has no room in 64 bits.
double fraction(double number) {
  if (std::abs(number) >= 0x1p63 && number == std::trunc(number))
    throw InputError("a whole number of more than 64 bits: give it as a text");
  return number;
}

Param param_from(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  // A seed of 64 bits stays exact: nodes read it as text.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return value.dump();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number()) return fraction(value.get<double>());
  if (value.is_string()) return value.get<std::string>();
  throw InputError("only texts, numbers and booleans");
}

void take_params(const json& value, std::map<std::string, Param>& params) {
  if (!value.is_object()) throw InputError("expected an object");
  for (const auto& [name, param] : value.items()) params.insert_or_assign(name, param_from(param));
}

/// The key of a time in seconds.
std::string in_seconds(std::string_view field) {
  return std::string(field.substr(0, field.size() - 2)) + "s";
}

/// How many units of the field are one of the key; 0: the key is none of the field. A span of time
/// may be given in seconds, a point in time may not.
std::uint64_t unit_of(std::string_view key, std::string_view field) {
  const bool in_seconds_only = field == "ttl_ms" || field == "time_limit_ms";
  if (key == field) return in_seconds_only ? 0 : 1;
  const bool is_span = field.ends_with("_ms") && key == in_seconds(field) &&
                       wire::largest_in_spec(field) == limits::kMaxTtlMs;
  return is_span ? 1000 : 0;
}

// Stores a JSON value in the field of a request that its key names.
class FieldTaker {
 public:
  FieldTaker(const std::string& key, const json& value) : key_(key), value_(value) {}

  void operator()(std::string_view field, std::string& text) {
    if (is_named(field)) text = value_.get<std::string>();
  }
  template <std::unsigned_integral Int>
  void operator()(std::string_view field, Int& number) {
    const std::uint64_t unit = unit_of(key_, field);
    if (unit == 0) return;
    has_taken_ = true;
    number = static_cast<Int>(whole(value_, wire::largest_in_spec(field) / unit) * unit);
  }
  void operator()(std::string_view field, double& number) {
    if (is_named(field)) number = value_.get<double>();
  }
  template <class T>
  void operator()(std::string_view field, std::optional<T>& member) {
    if (is_named(field)) (*this)(field, member.emplace());
  }
  void operator()(std::string_view field, std::map<std::string, Param>& params) {
    if (is_named(field)) take_params(value_, params);
  }

  bool has_taken() const { return has_taken_; }

 private:
  bool is_named(std::string_view field) {
    has_taken_ |= key_ == field;
    return key_ == field;
  }

  const std::string& key_;
  const json& value_;
  bool has_taken_ = false;
};

void take_key(const std::string& key, const json& value, TaskRequest& request) {
  if (key == "prompt") {
    request.payload = value.get<std::string>();
  } else if (key == "payload_base64") {
    request.payload = base64_decode(value.get<std::string>());
  } else if (key == "id") {
    request.id = value.get<std::string>();
  } else {
    FieldTaker taker(key, value);
    TaskRequest::fields(taker, request);
    if (!taker.has_taken()) throw InputError("no such key");
  }
}

/// The reader of JSON keeps the last of two values of one key.
json parse_json(const std::string& line) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  return json::parse(line, [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw InputError("key '" + value.get<std::string>() + "': given twice");
    return true;
  });
}

void check_alternatives(const json& object, const TaskRequest& defaults) {
  if (object.contains("prompt") == object.contains("payload_base64"))
    throw InputError("give either prompt or payload_base64");
  const auto check = [&](const std::string& field, const auto&) {
    if (!object.contains(field) || unit_of(field, field) == 0) return;
    if (const std::string other = in_seconds(field);
        object.contains(other) && unit_of(other, field) != 0)
      throw InputError("give either " + other + " or " + field);
  };
  TaskRequest::fields(check, defaults);
}

TaskRequest request_from(const std::string& line, const TaskRequest& defaults) {
  const json object = parse_json(line);
  if (!object.is_object()) throw InputError("expected an object");
  check_alternatives(object, defaults);
  TaskRequest request = defaults;
  for (const auto& [key, value] : object.items()) {
    try {
      take_key(key, value, request);
    } catch (const json::type_error&) {
      throw InputError("key '" + key + "': wrong type " + value.type_name());
    } catch (const InputError& error) {
      throw InputError("key '" + key + "': " + error.what());
    }
  }
  if (request.label.empty() && object.contains("prompt")) request.label = label_of(request.payload);
  return request;
}

template <class Number>
std::optional<Number> number_from(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// How many digits a double has to carry for it.
std::size_t digits_in(const std::string& number) {
  const std::string mantissa = number.substr(0, number.find_first_of("eE"));
  const std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string::npos) return 0;
  return static_cast<std::size_t>(
      std::count_if(mantissa.begin() + static_cast<std::ptrdiff_t>(first), mantissa.end(),
                    [](char c) { return c != '.'; }));
}

/// What a command sees as one variable would reach it only once.
std::string variable_of(std::string key) {
  for (char& c : key)
    c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  return "GENAI_PARAM_" + key;
}

void check_variables(const TaskRequest& request) {
  std::map<std::string, std::string> keys;  // by their variables
  const auto holds_zero = [](const std::string& text) { return text.find('\0') != text.npos; };
  if (holds_zero(request.label)) throw InputError("label: holds a zero byte");
  for (const auto& [key, value] : request.params) {
    const auto* text = std::get_if<std::string>(&value);
    if (text && holds_zero(*text)) throw InputError("param '" + key + "': holds a zero byte");
    const auto [other, first] = keys.emplace(variable_of(key), key);
    if (!first)
      throw InputError("params '" + other->second + "' and '" + key +
                       "' are one to a command: " + other->first);
  }
}

}  // namespace

std::pair<std::string, Param> parse_param(const std::string& text) {
  constexpr std::size_t kDigits = std::numeric_limits<double>::digits10;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw InputError("--param " + text + ": expected K=V");
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  if (value == "true" || value == "false") return {key, value == "true"};
  if (auto integer = number_from<std::int64_t>(value); integer && std::to_string(*integer) == value)
    return {key, *integer};
  if (value.find_first_not_of("-0123456789") == std::string::npos) return {key, value};
  if (auto number = number_from<double>(value);
      number && std::isfinite(*number) && digits_in(value) <= kDigits)
    return {key, *number};
  return {key, value};
}

std::string base64_decode(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int status =
      sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL);
  if (status != 0 || end != text.data() + text.size()) throw InputError("not base64");
  bytes.resize(size);
  return bytes;
}

std::string PromptList::skipped() const {
  const auto counted = [](std::size_t count, const char* noun) {
    return count == 0 ? "" : std::to_string(count) + noun + (count == 1 ? "" : "s");
  };
  const std::string blank = counted(blank_lines, " blank line");
  const std::string comment = counted(comments, " comment");
  if (blank.empty() && comment.empty()) return {};
  const bool one = blank_lines + comments == 1;
  return blank + (blank.empty() || comment.empty() ? "" : " and ") + comment +
         (one ? " is no task" : " are no tasks");
}

PromptList read_lines(std::istream& in, const TaskRequest& defaults, bool comments) {
  PromptList list;
  std::string line;
  for (std::size_t number = 1; next_line(in, line, limits::kMaxPayloadBytes); ++number) {
    if (is_blank(line)) {
      ++list.blank_lines;
    } else if (comments && line.starts_with('#')) {
      ++list.comments;
    } else {
      TaskRequest request = defaults;
      request.payload = line;
      if (request.label.empty()) request.label = label_of(line);
      add(list.prompts, number, std::move(request));
    }
  }
  return list;
}

PromptList read_jsonl(std::istream& in, const std::string& name, const TaskRequest& defaults) {
  PromptList list;
  std::string line;
  for (std::size_t number = 1; next_line(in, line, kMaxJsonLineBytes); ++number) {
    if (is_blank(line)) {
      ++list.blank_lines;
      continue;
    }
    const std::string where = name + ":" + std::to_string(number) + ": ";
    try {
      add(list.prompts, number, request_from(line, defaults));
    } catch (const json::parse_error& error) {
      throw InputError(where + "not JSON at byte " + std::to_string(error.byte));
    } catch (const json::exception&) {
      throw InputError(where + "a number is too large");
    } catch (const InputError& error) {
      throw InputError(where + error.what());
    }
  }
  return list;
}

/// What the client would refuse to send is better said with its line, and before any is sent.
void check_all(const std::vector<Prompt>& prompts, const std::string& source) {
  std::unordered_map<std::string, std::size_t> ids;  // → line
  for (const Prompt& prompt : prompts) {
    const std::string where =
        source.empty() ? "" : source + ":" + std::to_string(prompt.line) + ": ";
    try {
      client::Client::check(prompt.request);
      check_variables(prompt.request);
    } catch (const std::runtime_error& error) {
      throw InputError(where + error.what());
    }
    if (prompt.request.id.empty()) continue;
    const auto [it, first] = ids.emplace(prompt.request.id, prompt.line);
    if (!first)
      throw InputError(where + "id '" + prompt.request.id + "' is the one of line " +
                       std::to_string(it->second));
  }
}

PromptList read_single(const SubmitOptions& options, TaskRequest request) {
  if (!options.prompt.empty())
    request.payload = options.prompt;
  else
    request.payload =
        Input(options.from_stdin ? "-" : options.file, limits::kMaxPayloadBytes).all();
  if (request.label.empty())
    request.label = options.file.empty() ? label_of(request.payload) : label_of(options.file);
  PromptList list;
  list.prompts.push_back({1, std::move(request)});
  return list;
}

PromptList read_prompts(const SubmitOptions& options) {
  const TaskRequest defaults = defaults_from(options);
  PromptList list;
  if (!options.lines.empty())
    list = read_lines(Input(options.lines, kMaxInputBytes).stream(), defaults, options.comments);
  else if (!options.jsonl.empty())
    list = read_jsonl(Input(options.jsonl, kMaxInputBytes).stream(), options.jsonl, defaults);
  else
    list = read_single(options, defaults);
  if (list.prompts.empty()) throw InputError("there is no prompt in the input");
  check_all(list.prompts, !options.lines.empty() ? options.lines : options.jsonl);
  return list;
}

}  // namespace genai::ctl
