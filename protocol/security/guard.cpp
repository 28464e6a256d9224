#include "protocol/security/guard.h"

#include <stdexcept>
#include <utility>

#include "protocol/runtime/logging.h"

namespace genai::transport {

Guard::Guard(Context& context, const SecurityOptions& options) : options_(options) {
  if (options_.key_file.empty()) return;
  auto own = read_key_file(options_.key_file);
  if (!own) throw std::runtime_error(own.error().detail);
  own_ = std::move(*own);
  auto ring = KeyRing::read(options_.authorized_keys);
  if (!ring) throw std::runtime_error(ring.error().detail);
  authenticator_ = std::make_unique<Authenticator>(context, std::move(*ring));
  reader_.emplace(options_.authorized_keys);
  ring_ = authenticator_->ring();
}

std::optional<KeyPair> Guard::key_for(const std::string& endpoint) const {
  return asks_for_keys(endpoint, options_) ? own_ : std::nullopt;
}

const Identity& Guard::identify(const Router& router, const Received& received) const {
  static const Identity kAnyone = Identity::anyone();
  return router.asks_for_keys() ? ring_->identify(received.key) : kAnyone;
}

void Guard::reload() {
  if (reader_ && !reader_->start())
    runtime::log_warn("the keys are still being read: once more afterwards",
                      {{"folder", options_.authorized_keys}});
}

KeySet Guard::take_revoked() {
  auto next = reader_ ? reader_->poll() : std::nullopt;
  if (!next) return {};
  if (!*next) {
    runtime::log_error("the keys stay as they were: they cannot be read",
                       {{"error", next->error().detail}});
    return {};
  }
  const auto before = ring_;
  authenticator_->replace(std::move(**next));
  ring_ = authenticator_->ring();
  KeySet revoked = before->revoked_in(*ring_);
  runtime::log_info("keys read again", {{"authorized", authorized()}, {"revoked", revoked.size()}});
  return revoked;
}

}  // namespace genai::transport
