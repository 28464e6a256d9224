// Maps with text keys. A lookup takes a view, so it makes no string.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace genai {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

}  // namespace genai
