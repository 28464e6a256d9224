// Ids by number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genai::micro {

template <class Id>
Id binary_id(std::size_t number) {
  typename Id::Bytes bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  bytes[15] = 1;
  return Id(bytes);
}

}  // namespace genai::micro
