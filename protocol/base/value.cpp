#include "protocol/base/value.h"

namespace genai {
namespace {

template <class T>
const T* find(const ValueMap& map, std::string_view key) {
  auto it = map.find(key);
  return it == map.end() ? nullptr : std::get_if<T>(&it->second.v);
}

}  // namespace

std::string get_string(const ValueMap& map, std::string_view key, std::string fallback) {
  const auto* text = find<std::string>(map, key);
  return text ? *text : std::move(fallback);
}

std::uint64_t get_uint(const ValueMap& map, std::string_view key, std::uint64_t fallback) {
  const auto it = map.find(key);
  if (it == map.end()) return fallback;
  const Value::Variant& value = it->second.v;
  if (const auto* i = std::get_if<std::int64_t>(&value); i && *i >= 0)
    return static_cast<std::uint64_t>(*i);
  const auto* u = std::get_if<std::uint64_t>(&value);
  return u ? *u : fallback;
}

double get_double(const ValueMap& map, std::string_view key, double fallback) {
  if (const auto* d = find<double>(map, key)) return *d;
  if (const auto* i = find<std::int64_t>(map, key)) return static_cast<double>(*i);
  return fallback;
}

bool get_bool(const ValueMap& map, std::string_view key, bool fallback) {
  const auto* b = find<bool>(map, key);
  return b ? *b : fallback;
}

const ValueList& get_list(const ValueMap& map, std::string_view key) {
  static const ValueList empty;
  const auto* list = find<ValueList>(map, key);
  return list ? *list : empty;
}

const ValueMap& get_map(const ValueMap& map, std::string_view key) {
  static const ValueMap empty;
  const auto* inner = find<ValueMap>(map, key);
  return inner ? *inner : empty;
}

}  // namespace genai
