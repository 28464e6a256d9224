// What must hold of every message, whoever built it.
#pragma once

#include <string>
#include <variant>

#include "protocol/base/check.h"
#include "protocol/wire/checker.h"
#include "protocol/wire/messages.h"

namespace genai::fuzz {

inline std::optional<Error> problem_in(const Message& message) {
  return std::visit(
      [](const auto& body) { return wire::problem_in(body, body.kKind.name.data(), 0); }, message);
}

/// Encoding is canonical, so equal frames are equal messages; and a checker knows without it what a
/// reader would refuse.
inline void check_round_trip(const Message& message, Direction direction) {
  const std::string frame = encode(message);
  const auto again = decode(Blob(frame), direction);
  const auto problem = problem_in(message);
  GENAI_CHECK(again.has_value() == !problem);
  GENAI_CHECK(again || again.error().code == problem->code);
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

}  // namespace genai::fuzz
