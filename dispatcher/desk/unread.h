// Answers that were dropped because their client does not read: it is told as soon as it reads
// again.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "protocol/base/overloaded.h"
#include "protocol/base/string_map.h"
#include "protocol/base/time.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// Not thread-safe. Pure.
class Unread {
 public:
  /// Whether a client would wait for the message in vain. Results are sent again anyway, and
  /// progress may get lost.
  static bool is_answer(const ClientReply& reply) {
    return std::visit(
        Overloaded{[](const msg::ErrorReply&) { return true; },
                   [](const auto& body) { return body.kKind.if_unread == IfUnread::kIsTold; }},
        reply);
  }

  void dropped(const std::string& peer, Duration now) {
    if (peers_.empty()) look_at_ = now + kLookAgain;
    ++peers_[peer];
  }
  void forget(std::string_view peer) {
    if (const auto it = peers_.find(peer); it != peers_.end()) peers_.erase(it);
  }

  /// When it is time, offers each client's message to `send`: whether that took it, or the client
  /// is gone. Else it is offered again later.
  template <class Send>
  void tell(Duration now, Send send) {
    if (look_at_ > now) return;
    std::erase_if(peers_, [&](const auto& entry) {
      return send(entry.first, msg::ErrorReply{0, ErrorCode::kPeerFull, text(entry.second)});
    });
    look_at_ = peers_.empty() ? kNever : now + kLookAgain;
  }
  Duration next_deadline() const { return look_at_; }

 private:
  static constexpr Duration kLookAgain = from_ms(500);

  static std::string text(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " answer was" : " answers were") +
           " dropped: this connection did not read; ask again";
  }

  StringMap<std::uint64_t> peers_;  // how many of each
  Duration look_at_ = kNever;
};

}  // namespace genai::dispatcher
