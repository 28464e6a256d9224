#include "protocol/base/json_text.h"

#include <nlohmann/json.hpp>

#include "protocol/base/hex.h"

namespace genai {
namespace {

using Json = nlohmann::json;

Json to_json(const Value& value) {
  return std::visit(
      [](const auto& v) -> Json {
        using V = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<V, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<V, Bytes>) {
          return hex(v.data);
        } else if constexpr (std::is_same_v<V, ValueList>) {
          Json list = Json::array();
          for (const Value& entry : v) list.push_back(to_json(entry));
          return list;
        } else if constexpr (std::is_same_v<V, ValueMap>) {
          Json map = Json::object();
          for (const auto& [key, entry] : v) map[key] = to_json(entry);
          return map;
        } else {
          return v;
        }
      },
      value.v);
}

}  // namespace

std::string json_text(const Value& value) {
  return to_json(value).dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace genai
