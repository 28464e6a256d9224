// Which public keys are authorized, and for what: a folder with a file for each.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/errors.h"
#include "protocol/base/identity.h"

namespace genai::transport {

/// What a file says: exactly one of `node`, `tenant`, `dispatcher` beside the key.
///
///     key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"   # TOML
///     node = "painter-1"                       # a node under this id
///     tenant = "acme"                          # a client: with
///     roles = ["submit", "watch"]              #   roles; "admin" needs no tenant
///     dispatcher = true                        # a dispatcher
///
/// Immutable once read: threads may share it.
class KeyRing {
 public:
  KeyRing() = default;  // nobody is authorized

  /// Reads all files of the folder whose names end in ".toml". The error is one line that begins
  /// with the file's path and, when it is known, the line number.
  static Expected<KeyRing> read(const std::string& folder);

  /// Identity::nobody() for a key that is not in it.
  const Identity& identify(std::string_view public_key) const;
  bool contains(std::string_view public_key) const { return !identify(public_key).key.empty(); }
  std::size_t size() const { return identities_.size(); }

  /// Keys of this ring that stand for something else, or for nothing, in `next`.
  KeySet revoked_in(const KeyRing& next) const;

 private:
  std::map<std::string, Identity, std::less<>> identities_;  // found without a copy of the key
};

/// The content of a file that authorizes `identity`.
std::string authorization_text(const Identity& identity);

/// Writes it to `folder`, under a name of its own for each key; replaces an older one at once.
/// kNotAllowed, and nothing is written, when a file of another name names the key: it may be
/// somebody's handwork. The error also tells that, although the file was written, the folder cannot
/// be read, so that running daemons keep the keys that they have.
Expected<std::string> authorize(const std::string& folder, const Identity& identity);

/// Removes all files that name the key, and returns their paths; kUnknownNode when there are none.
/// The error also tells that, although they were removed, the folder cannot be read (as above).
Expected<std::vector<std::string>> revoke(const std::string& folder, std::string_view public_key);

}  // namespace genai::transport
