// A value among a task's params: what a client writes and a node reads.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace genai {

/// An integer that fits into std::int64_t arrives at a node as that; only a larger one arrives as
/// std::uint64_t. A double must be finite, and a string must be UTF-8.
using Param = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

}  // namespace genai
