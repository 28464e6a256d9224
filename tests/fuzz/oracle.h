// What must hold of every message, whoever built it.
#pragma once

#include <optional>
#include <string>

#include "protocol/base/check.h"
#include "protocol/wire/messages.h"

namespace genai::fuzz {

/// Encoding is canonical, so equal frames are equal messages.
inline void check_round_trip(const Message& message, Direction direction) {
  const std::string frame = encode(message);
  const auto again = decode(Blob(frame), direction);
  // Metadata may grow over its limit: keys that were left out are written, integers become doubles.
  if (!again && again.error().code == ErrorCode::kTooLarge) return;
  GENAI_CHECK(again.has_value());
  GENAI_CHECK(encode(*again) == frame);
}

/// A frame of ours: its receiver must be able to read it.
inline Message check_sent(const std::string& frame, Direction direction) {
  auto message = decode(Blob(frame), direction);
  GENAI_CHECK(message.has_value());
  check_round_trip(*message, direction);
  return std::move(*message);
}

inline void check_none(const std::optional<std::string>& wrong) {
  if (wrong) std::fprintf(stderr, "broken invariant: %s\n", wrong->c_str());
  GENAI_CHECK(!wrong);
}

}  // namespace genai::fuzz
