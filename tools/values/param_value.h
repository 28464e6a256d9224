// Between the Params of the public headers and the values of open maps.
#pragma once

#include <map>
#include <string>
#include <type_traits>
#include <variant>

#include "genai/param.h"
#include "protocol/base/json_text.h"
#include "protocol/base/value.h"

namespace genai::values {

using Params = std::map<std::string, Param>;

/// A list, a map, nil or bytes become a JSON text.
inline Params params_from(const ValueMap& map) {
  Params params;
  for (const auto& [key, value] : map)
    std::visit(
        [&, &key = key, &value = value](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_constructible_v<Param, V> && !std::is_same_v<V, std::monostate>)
            params.emplace(key, v);
          else
            params.emplace(key, json_text(value));
        },
        value.v);
  return params;
}

inline ValueMap map_from(const Params& params) {
  ValueMap map;
  for (const auto& [key, value] : params)
    map.emplace(key, std::visit([](const auto& v) { return Value(v); }, value));
  return map;
}

}  // namespace genai::values
