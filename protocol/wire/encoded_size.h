// How many bytes a value takes as msgpack, without writing it: always the shortest form, as Writer
// writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/base/value.h"

namespace genai::wire {

std::size_t uint_size(std::uint64_t value);
/// Of an array or a map, without its entries.
std::size_t head_size(std::size_t entries);
std::size_t text_size(std::string_view text);
inline constexpr std::size_t kFloatSize = 9;

std::size_t encoded_size(const Value& value);
std::size_t encoded_size(const ValueMap& map);

}  // namespace genai::wire
