// ERROR: the only message that every peer may send to every peer.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/base/errors.h"
#include "protocol/base/limits.h"
#include "protocol/wire/kind.h"

namespace genai::msg {

using namespace limits;

/// An ERROR is never answered.
struct ErrorReply {
  static constexpr MessageKind kKind{99, "ERROR", Way::kAny};
  std::uint64_t request = 0;  // 0: the number of the request is not known
  ErrorCode code = ErrorCode::kMalformed;
  std::string detail;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("request", request);
    ar.code("code", code);
    ar.optional();
    ar.text("detail", detail, kMaxTextBytes);
  }
};

}  // namespace genai::msg
