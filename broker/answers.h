// ERROR frames, as broker and link say them.
#pragma once

#include <cstdint>

#include "protocol/base/errors.h"
#include "protocol/base/text.h"
#include "protocol/wire/error_reply.h"

namespace genai::broker {

/// Neither nodes nor dispatchers number their frames as requests: `request` is 0.
inline msg::ErrorReply error_reply(const Error& error) {
  return {0, error.code, clip_text(error.detail)};
}

inline Error key_revoked() { return {ErrorCode::kNotAllowed, "this key was revoked"}; }

/// The type number of ERROR, which is never answered.
inline bool is_error_type(std::uint64_t type) { return type == msg::ErrorReply::kKind.number; }

}  // namespace genai::broker
