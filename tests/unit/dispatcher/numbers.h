// Ids by number, for tests of one machine.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/base/ids.h"

namespace genai::dispatcher::test {

template <class Id>
Id numbered(unsigned number) {
  typename Id::Bytes bytes{};
  bytes[0] = static_cast<std::uint8_t>(number);
  bytes[1] = static_cast<std::uint8_t>(number >> 8);
  bytes[15] = 1;
  return Id(bytes);
}
inline SessionId session(unsigned number) { return numbered<SessionId>(number); }
inline NodeId node(unsigned number) { return *NodeId::parse("node-" + std::to_string(number)); }

}  // namespace genai::dispatcher::test
