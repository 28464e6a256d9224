// The identity of a peer: the rights of the key of its connection. A plain value.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "protocol/base/ids.h"

namespace genai {

struct Identity {
  enum class Kind {
    kNobody,      // its key is not, or no longer, authorized: it may do nothing
    kAnyone,      // this socket asks for no keys (loopback, ipc, --insecure): it may do everything
    kNode,        // it may be the node `node`, and nothing else
    kClient,      // its roles say what it may do for `tenant`
    kDispatcher,  // it may open a link to a broker
  };

  Kind kind = Kind::kNobody;
  std::string key = {};     // the public key, 40 characters of Z85; empty: the socket asks for none
  NodeId node = {};         // only of kNode
  std::string tenant = {};  // only of kClient, like the roles below
  bool may_submit = false;  // submit, replay, cancel and reprioritise its tenant's tasks
  bool may_watch = false;   // watch, query and list its tenant's tasks
  bool is_admin = false;    // everything, for every tenant

  static Identity anyone() { return {.kind = Kind::kAnyone}; }
  static Identity nobody() { return {}; }
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Public keys. A lookup copies no text.
using KeySet = std::set<std::string, std::less<>>;

/// Returns the name of the budget that pays for the messages of connection `peer`. Connections of
/// one key share a budget. So do all connections of revoked keys: none can name itself like a key.
inline std::string_view payer(const Identity& who, std::string_view peer) {
  return who.kind == Identity::Kind::kAnyone ? peer : std::string_view(who.key);
}

}  // namespace genai
