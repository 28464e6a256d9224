// A value of an open map: of a task's params, a result's info or an entry of a reply.
#pragma once

#include <boost/container/flat_map.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace genai {

struct Value;
using ValueList = std::vector<Value>;
/// The entries are in the order of their keys, in one piece of memory: most maps have few, and a
/// tree would allocate each. An insert or erase makes references to the entries behind it invalid.
using ValueMap = boost::container::flat_map<std::string, Value, std::less<>>;

/// Bytes, which need not be a text.
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

/// An integer that fits is always an int64; only a larger one is a uint64. A double is finite.
struct Value {
  using Variant = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                               std::string, Bytes, ValueList, ValueMap>;
  Variant v;

  Value() = default;
  Value(bool b) : v(b) {}
  Value(std::int64_t i) : v(i) {}
  Value(int i) : v(std::int64_t{i}) {}
  Value(std::uint32_t i) : v(std::int64_t{i}) {}
  Value(std::uint64_t i) {
    if (i <= INT64_MAX)
      v = static_cast<std::int64_t>(i);
    else
      v = i;
  }
  Value(double d) : v(d) {}
  Value(std::string s) : v(std::move(s)) {}
  Value(std::string_view s) : v(std::string(s)) {}
  Value(const char* s) : v(std::string(s)) {}
  Value(Bytes b) : v(std::move(b)) {}
  Value(ValueList l) : v(std::move(l)) {}
  Value(ValueMap m) : v(std::move(m)) {}

  friend bool operator==(const Value&, const Value&);
};

inline bool operator==(const Value& a, const Value& b) { return a.v == b.v; }

/// These return the value of a key, or the fallback if the key is missing or has another type.
std::string get_string(const ValueMap& map, std::string_view key, std::string fallback = {});
std::uint64_t get_uint(const ValueMap& map, std::string_view key, std::uint64_t fallback = 0);
double get_double(const ValueMap& map, std::string_view key, double fallback = 0);
bool get_bool(const ValueMap& map, std::string_view key, bool fallback = false);
const ValueList& get_list(const ValueMap& map, std::string_view key);
const ValueMap& get_map(const ValueMap& map, std::string_view key);

}  // namespace genai
