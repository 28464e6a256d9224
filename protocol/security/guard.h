// The keys of a daemon, as its options say: its own key, and the keys that may connect.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "protocol/base/identity.h"
#include "protocol/security/authenticator.h"
#include "protocol/security/key_reader.h"
#include "protocol/security/security_options.h"
#include "protocol/transport/socket.h"

namespace genai::transport {

/// Tells the identity of a sender. One thread uses it. Make it before any socket is bound.
class Guard {
 public:
  /// The options were validated before. Throws std::runtime_error if a file is wrong now.
  Guard(Context& context, const SecurityOptions& options);

  /// Returns our key for a socket that listens there, or nothing if that socket asks for no keys.
  std::optional<KeyPair> key_for(const std::string& endpoint) const;
  const Identity& identify(const Router& router, const Received& received) const;

  /// Starts to read the folder again.
  void reload();
  /// Returns the keys whose identity has changed or ended, once the folder has been read. Logs the
  /// outcome. After an error all keys are as before.
  KeySet take_revoked();
  /// A descriptor that is readable when take_revoked() should be called; -1: never.
  int reload_fd() const { return reader_ ? reader_->fd() : -1; }
  /// Returns our key, or nothing if there is none.
  const std::optional<KeyPair>& own_key() const { return own_; }
  std::size_t authorized() const { return ring_ ? ring_->size() : 0; }

 private:
  const SecurityOptions options_;
  std::optional<KeyPair> own_;
  std::unique_ptr<Authenticator> authenticator_;
  std::optional<KeyReader> reader_;
  std::shared_ptr<const KeyRing> ring_;
};

}  // namespace genai::transport
