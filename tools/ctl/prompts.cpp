#include "tools/ctl/prompts.h"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"

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
  TaskRequest request;
  request.id = o.id;
  request.model = o.model;
  request.gpu_type = o.gpu_type;
  request.ncpu = o.ncpu;
  request.ram_mib = o.ram_mib;
  request.vram_mib = o.vram_mib;
  request.ttl_ms = o.ttl_s * 1000;  // options.cpp bounds both
  request.time_limit_ms = o.time_limit_s * 1000;
  request.max_attempts = o.max_attempts;
  request.label = o.label;
  request.tenant = o.tenant;
  request.priority = o.priority;
  request.start_in_ms = o.start_in_s * 1000;
  request.deadline_in_ms = o.deadline_in_s * 1000;
  request.max_cost = o.max_cost;
  request.time_to_money_ratio = o.time_to_money_ratio;
  request.work = o.work;
  for (const std::string& text : o.params) add_param(request, text);
  return request;
}

/// get<>() would wrap negative and large numbers and cut fractions off.
std::uint64_t whole(const json& value, std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max)
    throw InputError("expected a whole number from 0 to " + std::to_string(max));
  return value.get<std::uint64_t>();
}

constexpr std::uint64_t kLargestAmount = UINT32_MAX;
constexpr std::uint64_t kLargestSeconds = limits::kMaxTtlMs / 1000;

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

void take_params(const json& value, TaskRequest& request) {
  if (!value.is_object()) throw InputError("expected an object");
  for (const auto& [name, param] : value.items())
    request.params.insert_or_assign(name, param_from(param));
}

void take_key(const std::string& key, const json& value, TaskRequest& request) {
  if (key == "prompt")
    request.payload = value.get<std::string>();
  else if (key == "payload_base64")
    request.payload = base64_decode(value.get<std::string>());
  else if (key == "id")
    request.id = value.get<std::string>();
  else if (key == "model")
    request.model = value.get<std::string>();
  else if (key == "gpu_type")
    request.gpu_type = value.get<std::string>();
  else if (key == "ncpu")
    request.ncpu = whole(value, kLargestAmount);
  else if (key == "ram_mib")
    request.ram_mib = whole(value, kLargestAmount);
  else if (key == "vram_mib")
    request.vram_mib = whole(value, kLargestAmount);
  else if (key == "ttl_s")
    request.ttl_ms = whole(value, kLargestSeconds) * 1000;
  else if (key == "time_limit_s")
    request.time_limit_ms = whole(value, kLargestSeconds) * 1000;
  else if (key == "max_attempts")
    request.max_attempts = static_cast<std::uint32_t>(whole(value, limits::kMaxAttempts));
  else if (key == "label")
    request.label = value.get<std::string>();
  else if (key == "tenant")
    request.tenant = value.get<std::string>();
  else if (key == "priority")
    request.priority = static_cast<std::uint8_t>(whole(value, limits::kMaxPriority));
  else if (key == "start_in_s")
    request.start_in_ms = whole(value, kLargestSeconds) * 1000;
  else if (key == "deadline_in_s")
    request.deadline_in_ms = whole(value, kLargestSeconds) * 1000;
  else if (key == "start_in_ms")
    request.start_in_ms = whole(value, limits::kMaxTtlMs);
  else if (key == "deadline_in_ms")
    request.deadline_in_ms = whole(value, limits::kMaxTtlMs);
  else if (key == "not_before_ms")
    request.not_before_ms = whole(value, limits::kMaxUnixMs);
  else if (key == "deadline_ms")
    request.deadline_ms = whole(value, limits::kMaxUnixMs);
  else if (key == "max_cost")
    request.max_cost = value.get<double>();
  else if (key == "time_to_money_ratio")
    request.time_to_money_ratio = value.get<double>();
  else if (key == "work")
    request.work = value.get<double>();
  else if (key == "params")
    take_params(value, request);
  else
    throw InputError("no such key");
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

void check_alternatives(const json& object) {
  if (object.contains("prompt") == object.contains("payload_base64"))
    throw InputError("give either prompt or payload_base64");
  for (const std::string key : {"start_in_", "deadline_in_"})
    if (object.contains(key + "s") && object.contains(key + "ms"))
      throw InputError("give either " + key + "s or " + key + "ms");
}

TaskRequest request_from(const std::string& line, const TaskRequest& defaults) {
  const json object = parse_json(line);
  if (!object.is_object()) throw InputError("expected an object");
  check_alternatives(object);
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
