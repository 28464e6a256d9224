// Who a peer is: what the key of its connection was authorized for. A plain value.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "protocol/base/ids.h"

namespace genai {

struct Identity {
  enum class Kind {
    kNobody,      // its key is not authorized (any more): may do nothing
    kAnyone,      // came where no keys are asked for (loopback, ipc, --insecure): may do everything
    kNode,        // may be `node`, and nothing else
    kClient,      // may do for `tenant` what its roles say
    kDispatcher,  // may open a link to a broker
  };

  Kind kind = Kind::kNobody;
  std::string key = {};     // the public key, 40 characters of Z85; empty: none was asked for
  NodeId node = {};         // of a kNode
  std::string tenant = {};  // of a kClient; likewise its roles:
  bool may_submit = false;  // submit, replay, cancel and reprioritise its tenant's tasks
  bool may_watch = false;   // follow, query and list them
  bool is_admin = false;    // everything, for every tenant

  static Identity anyone() { return {.kind = Kind::kAnyone}; }
  static Identity nobody() { return {}; }
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Public keys, found without a copy.
using KeySet = std::set<std::string, std::less<>>;

/// Whose budget pays for what comes over the connection `peer`: a key may open connections without
/// number. Those of revoked keys share one, so that none of them can name itself like a key.
inline std::string_view payer(const Identity& who, std::string_view peer) {
  return who.kind == Identity::Kind::kAnyone ? peer : std::string_view(who.key);
}

}  // namespace genai
