#include "dispatcher/result_info.h"

#include <algorithm>
#include <array>
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

bool is_simple(const Value& value) {
  return !std::holds_alternative<ValueList>(value.v) && !std::holds_alternative<ValueMap>(value.v);
}

}  // namespace

bool is_known_info(std::string_view key) { return std::ranges::find(kKnown, key) != kKnown.end(); }

std::size_t memory_of(const ValueMap& map) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : map) bytes += kNodeBytes + key.size() + memory_of(value);
  return bytes;
}

void bound_info(ValueMap& info) {
  if (memory_of(info) > kMaxKept)
    std::erase_if(info, [](const auto& entry) {
      return !is_known_info(entry.first) || !is_simple(entry.second);
    });
}

void keep_known_info(ValueMap& info) {
  std::erase_if(info, [](const auto& entry) {
    return !is_known_info(entry.first) || !is_simple(entry.second);
  });
  for (auto& [key, value] : info)
    if (auto* text = std::get_if<std::string>(&value.v)) *text = clip_text(*text);
}

}  // namespace genai::dispatcher
