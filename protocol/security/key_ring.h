// The authorized public keys and their rights: a folder with one file for each key.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/errors.h"
#include "protocol/base/identity.h"

namespace genai::transport {

/// The content of a file: the key, and exactly one of `node`, `tenant`, `dispatcher`.
///
///     key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"   # TOML
///     node = "painter-1"                       # a node under this id
///     tenant = "acme"                          # a client: with
///     roles = ["submit", "watch"]              #   roles; "admin" needs no tenant
///     dispatcher = true                        # a dispatcher
///
/// It never changes after it was read: threads may share it.
class KeyRing {
 public:
  KeyRing() = default;  // nobody is authorized

  /// Reads all files of the folder whose names end in ".toml". The error is one line that begins
  /// with the file's path and, when it is known, the line number.
  static Expected<KeyRing> read(const std::string& folder);

  /// Returns Identity::nobody() for a key that is not in it.
  const Identity& identify(std::string_view public_key) const;
  bool contains(std::string_view public_key) const { return !identify(public_key).key.empty(); }
  std::size_t size() const { return identities_.size(); }

  /// Returns the keys of this ring that have another identity, or none, in `next`.
  KeySet revoked_in(const KeyRing& next) const;

 private:
  std::map<std::string, Identity, std::less<>> identities_;  // found without a copy of the key
};

/// Returns the content of a file that authorizes `identity`.
std::string authorization_text(const Identity& identity);

/// Writes that file to `folder`. Each key has its own file name; an older file is replaced at once.
/// Returns kNotAllowed and writes nothing if a file with another name has the key: somebody may
/// have written it by hand. Also returns an error if the file was written but the folder cannot be
/// read: then running daemons keep the keys that they have.
Expected<std::string> authorize(const std::string& folder, const Identity& identity);

/// Removes all files that have the key, and returns their paths; kUnknownNode if there are none.
/// Also returns an error if they were removed but the folder cannot be read (as above).
Expected<std::vector<std::string>> revoke(const std::string& folder, std::string_view public_key);

}  // namespace genai::transport
