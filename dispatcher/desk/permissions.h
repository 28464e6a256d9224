// What a client may ask for, by the key it came with (SPEC.md, "Authorization"). Pure.
#pragma once

#include <string_view>

#include "protocol/base/identity.h"
#include "protocol/base/planted.h"
#include "protocol/wire/kind.h"

namespace genai::dispatcher {

/// Whether the roles of `who` include the right; kNone takes a key that is good for clients at all.
inline bool may(const Identity& who, Right right) {
  if (who.kind == Identity::Kind::kAnyone) return true;
  if (who.kind != Identity::Kind::kClient) return false;
  if (who.is_admin) return true;
  switch (right) {
    case Right::kNone:
      return true;
    case Right::kSubmit:
      return who.may_submit;
    case Right::kWatch:
      return who.may_watch;
    case Right::kEither:
      return who.may_submit || who.may_watch;
    case Right::kAdmin:
      return false;
  }
  return false;
}

/// Whether `who` is bound to one tenant: nobody else's tasks exist for it, and it can submit for
/// nobody else.
inline bool is_bound(const Identity& who) {
  return who.kind != Identity::Kind::kAnyone && !who.is_admin;
}
inline bool may_see(const Identity& who, std::string_view tenant) {
  return !is_bound(who) || who.tenant == tenant;
}

}  // namespace genai::dispatcher
