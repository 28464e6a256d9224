// What a daemon's sockets ask of those who connect, as its options say.
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

/// Tells who sent what. One thread uses it; make it before any socket is bound.
class Guard {
 public:
  /// The files were looked at before: throws std::runtime_error when they are not right any more.
  Guard(Context& context, const SecurityOptions& options);

  /// Our key for a socket that is to listen there; nothing when it asks for no keys.
  std::optional<KeyPair> key_for(const std::string& endpoint) const;
  const Identity& identify(const Router& router, const Received& received) const;

  /// Begins to read the folder again.
  void reload();
  /// Keys that stand for something else, or for nothing, from now on, once it has been read; what
  /// became of it is logged. After an error everything is as before.
  KeySet take_revoked();
  /// Readable when take_revoked() should be asked; -1: never.
  int reload_fd() const { return reader_ ? reader_->fd() : -1; }
  /// Our key; nothing when there is none.
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
