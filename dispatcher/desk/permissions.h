// What a client may ask for, by the key it came with (SPEC.md, "Authorization"). Pure.
#pragma once

#include <string>
#include <type_traits>

#include "protocol/base/identity.h"
#include "protocol/wire/messages.h"

namespace genai::dispatcher {

enum class Right { kNone, kSubmit, kWatch, kEither, kAdmin };

/// The right that a message needs.
template <class M>
constexpr Right right_for() {
  const auto is_one_of = []<class... Ms>(std::type_identity<Ms>...) {
    return (std::is_same_v<M, Ms> || ...);
  };
  using std::type_identity;
  if (is_one_of(type_identity<msg::Ping>{}, type_identity<msg::ErrorReply>{})) return Right::kNone;
  if (is_one_of(type_identity<msg::Submit>{}, type_identity<msg::Cancel>{},
                type_identity<msg::Replay>{}, type_identity<msg::Purge>{},
                type_identity<msg::Reprioritise>{}))
    return Right::kSubmit;
  if (is_one_of(type_identity<msg::StatusQuery>{}, type_identity<msg::List>{}))
    return Right::kWatch;
  // Who submitted gets the results, and needs this to lose none.
  if (is_one_of(type_identity<msg::Watch>{}, type_identity<msg::DeliverAck>{}))
    return Right::kEither;
  return Right::kAdmin;
}

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
