#include "tools/ctl/prompts.h"

#include <sodium.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "protocol/limits.h"
#include "protocol/text.h"

namespace genai::ctl {
namespace {

using client::Param;
using client::TaskRequest;
using nlohmann::json;

std::string label_of(const std::string& prompt) {
  return clip_text(prompt.substr(0, prompt.find('\n')), limits::kMaxNameBytes);
}

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// stdin for "-".
template <class Read>
auto with_file(const std::string& name, Read read) {
  if (name == "-") return read(std::cin);
  std::ifstream file(name, std::ios::binary);
  if (!file) throw InputError(name + ": cannot be read");
  return read(file);
}

/// Unix time in ms; 0 stays 0.
std::uint64_t from_now(std::uint64_t seconds) {
  using namespace std::chrono;
  if (seconds == 0) return 0;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  return static_cast<std::uint64_t>(now.count()) + seconds * 1000;
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
  request.not_before_ms = from_now(o.start_in_s);
  request.deadline_ms = from_now(o.deadline_in_s);
  request.max_cost = o.max_cost;
  request.time_to_money_ratio = o.time_to_money_ratio;
  request.work = o.work;
  for (const std::string& text : o.params)
    request.params.insert_or_assign(parse_param(text).first, parse_param(text).second);
  return request;
}

/// get<>() would wrap negative and large numbers and cut fractions off.
std::uint64_t whole(const json& value, std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max)
    throw InputError("expected a whole number from 0 to " + std::to_string(max));
  return value.get<std::uint64_t>();
}

constexpr std::uint64_t kMaxCount = UINT32_MAX;
constexpr std::uint64_t kMaxSeconds = limits::kMaxTtlMs / 1000;

Param param_from(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  // A seed of 64 bits stays exact: nodes read it as text.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return value.dump();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  throw InputError("only texts, numbers and booleans");
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
    request.ncpu = whole(value, kMaxCount);
  else if (key == "ram_mib")
    request.ram_mib = whole(value, kMaxCount);
  else if (key == "vram_mib")
    request.vram_mib = whole(value, kMaxCount);
  else if (key == "ttl_s")
    request.ttl_ms = whole(value, kMaxSeconds) * 1000;
  else if (key == "time_limit_s")
    request.time_limit_ms = whole(value, kMaxSeconds) * 1000;
  else if (key == "max_attempts")
    request.max_attempts = static_cast<std::uint32_t>(whole(value, limits::kMaxAttempts));
  else if (key == "label")
    request.label = value.get<std::string>();
  else if (key == "tenant")
    request.tenant = value.get<std::string>();
  else if (key == "priority")
    request.priority = static_cast<std::uint8_t>(whole(value, limits::kMaxPriority));
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
    for (const auto& [name, param] : value.items())
      request.params.insert_or_assign(name, param_from(param));
  else
    throw InputError("no such key");
}

TaskRequest request_from(const std::string& line, const TaskRequest& defaults) {
  const json object = json::parse(line);
  if (!object.is_object()) throw InputError("expected an object");
  if (object.contains("prompt") == object.contains("payload_base64"))
    throw InputError("give either prompt or payload_base64");
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

}  // namespace

std::pair<std::string, Param> parse_param(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw InputError("--param " + text + ": expected K=V");
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  if (value == "true" || value == "false") return {key, value == "true"};
  if (auto integer = number_from<std::int64_t>(value)) return {key, *integer};
  // A seed of 64 bits stays exact: nodes read it as text.
  if (value.find_first_not_of("-0123456789") == std::string::npos) return {key, value};
  if (auto number = number_from<double>(value); number && std::isfinite(*number))
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

std::vector<Prompt> read_lines(std::istream& in, const TaskRequest& defaults) {
  std::vector<Prompt> prompts;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos || line.starts_with('#')) continue;
    TaskRequest request = defaults;
    request.payload = line;
    if (request.label.empty()) request.label = label_of(line);
    prompts.push_back({number, std::move(request)});
  }
  return prompts;
}

std::vector<Prompt> read_jsonl(std::istream& in, const std::string& name,
                               const TaskRequest& defaults) {
  std::vector<Prompt> prompts;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = name + ":" + std::to_string(number) + ": ";
    try {
      prompts.push_back({number, request_from(line, defaults)});
    } catch (const json::parse_error& error) {
      throw InputError(where + "not JSON at byte " + std::to_string(error.byte));
    } catch (const json::exception&) {
      throw InputError(where + "a number is too large");
    } catch (const InputError& error) {
      throw InputError(where + error.what());
    }
  }
  return prompts;
}

/// What the client would refuse to send is better said with its line, and before any is sent.
void check_all(const std::vector<Prompt>& prompts, const std::string& source) {
  std::unordered_map<std::string, std::size_t> ids;  // → line
  for (const Prompt& prompt : prompts) {
    const std::string where =
        source.empty() ? "" : source + ":" + std::to_string(prompt.line) + ": ";
    try {
      client::Client::check(prompt.request);
    } catch (const client::ClientError& error) {
      throw InputError(where + error.what());
    }
    if (prompt.request.id.empty()) continue;
    const auto [it, first] = ids.emplace(prompt.request.id, prompt.line);
    if (!first)
      throw InputError(where + "id '" + prompt.request.id + "' is the one of line " +
                       std::to_string(it->second));
  }
}

std::vector<Prompt> read_prompts(const SubmitOptions& options) {
  const TaskRequest defaults = defaults_from(options);
  std::vector<Prompt> prompts;
  if (!options.lines.empty()) {
    prompts = with_file(options.lines, [&](std::istream& in) { return read_lines(in, defaults); });
  } else if (!options.jsonl.empty()) {
    prompts = with_file(options.jsonl,
                        [&](std::istream& in) { return read_jsonl(in, options.jsonl, defaults); });
  } else {
    TaskRequest request = defaults;
    if (!options.prompt.empty())
      request.payload = options.prompt;
    else
      request.payload = with_file(options.from_stdin ? "-" : options.file, read_all);
    if (request.label.empty())
      request.label = options.file.empty() ? label_of(request.payload) : label_of(options.file);
    prompts.push_back({1, std::move(request)});
  }
  if (prompts.empty()) throw InputError("there is no prompt in the input");
  check_all(prompts, !options.lines.empty() ? options.lines : options.jsonl);
  return prompts;
}

}  // namespace genai::ctl
