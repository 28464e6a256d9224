// One value in the params of a task. The client writes it, the node reads it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace genai {

/// An integer that fits into std::int64_t arrives at the node as std::int64_t; only a larger one
/// arrives as std::uint64_t. A double must be finite. A string must be UTF-8.
using Param = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

}  // namespace genai
