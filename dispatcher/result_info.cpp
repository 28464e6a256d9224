#include "dispatcher/result_info.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <variant>

#include "protocol/limits.h"
#include "protocol/text.h"

namespace genai::dispatcher {
namespace {

constexpr std::array<std::string_view, 9> kKnown = {"run_ms",    "load_ms",      "error",
                                                    "exit_code", "content_type", "attempts",
                                                    "node_id",   "total_ms",     "queued_ms"};
constexpr std::size_t kNodeBytes = 64;  // of a map, beside key and value
constexpr std::size_t kMaxKept = 2 * limits::kMaxResultInfoBytes;

std::size_t memory_of(const Value& value) {
  std::size_t bytes = sizeof(Value);
  if (const auto* text = std::get_if<std::string>(&value.v)) bytes += text->size();
  if (const auto* data = std::get_if<Bytes>(&value.v)) bytes += data->data.size();
  if (const auto* map = std::get_if<ValueMap>(&value.v)) bytes += dispatcher::memory_of(*map);
  if (const auto* list = std::get_if<ValueList>(&value.v))
    for (const Value& element : *list) bytes += memory_of(element);
  return bytes;
}

bool is_known(std::string_view key) { return std::ranges::find(kKnown, key) != kKnown.end(); }

bool is_nested(const Value& value) {
  return std::holds_alternative<ValueList>(value.v) || std::holds_alternative<ValueMap>(value.v);
}

void drop_unknown(ValueMap& info) {
  std::erase_if(
      info, [](const auto& entry) { return !is_known(entry.first) || is_nested(entry.second); });
}

}  // namespace

bool is_scalar(const Value& value) {
  return !is_nested(value) && !std::holds_alternative<std::string>(value.v) &&
         !std::holds_alternative<Bytes>(value.v);
}

std::size_t memory_of(const ValueMap& map) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : map) bytes += kNodeBytes + key.size() + memory_of(value);
  return bytes;
}

void trim_info(ValueMap& info) {
  constexpr std::size_t kMaxKeys = limits::kMaxMapEntries / 2;
  for (auto it = info.begin(); it != info.end() && info.size() > kMaxKeys;)
    it = is_known(it->first) ? std::next(it) : info.erase(it);
}

void bound_info(ValueMap& info) {
  if (memory_of(info) > kMaxKept) drop_unknown(info);
}

void keep_known_info(ValueMap& info) {
  drop_unknown(info);
  for (auto& [key, value] : info)
    if (auto* text = std::get_if<std::string>(&value.v);
        text && text->size() > limits::kMaxTextBytes)
      *text = clip_text(*text);
}

}  // namespace genai::dispatcher
