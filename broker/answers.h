// Frames that the broker answers with.
#pragma once

#include <string_view>

#include "broker/effects.h"
#include "protocol/base/errors.h"
#include "protocol/base/text.h"
#include "protocol/wire/link.h"
#include "protocol/wire/node.h"

namespace genai::broker {

inline void answer_node(std::string_view peer, const ToNode& message, Effects& effects) {
  effects.to_nodes.push_back({Peer(peer), encode(message), std::nullopt});
}

inline void answer_link(std::string_view peer, const LinkToDispatcher& message, Effects& effects) {
  effects.to_link.push_back({Peer(peer), encode(message)});
}

/// Neither nodes nor dispatchers number their frames as requests: `request` is 0.
inline msg::ErrorReply error_reply(const Error& error) {
  return {0, error.code, clip_text(error.detail)};
}

/// The type number of ERROR, which is never answered.
inline bool is_error_type(std::uint64_t type) { return type == msg::ErrorReply::kKind.number; }

}  // namespace genai::broker
