// LISTs that are being answered: to look at a million tasks at once would stop everything else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "dispatcher/desk/limits.h"
#include "protocol/base/identity.h"
#include "protocol/wire/client.h"

namespace genai::dispatcher {

/// A question, and what is known of its answer.
struct Listing {
  std::string peer;
  Identity asker;
  std::optional<TaskStatus> status;  // only these
  std::size_t limit;                 // of tasks
  std::optional<TaskId> after;       // looked at up to here
  msg::Tasks page;

  std::string_view payer() const { return genai::payer(asker, peer); }
};

/// One of each connection at most, in the order in which they came. Not thread-safe.
class Listings {
 public:
  /// How many tasks one turn may look at.
  static constexpr std::size_t kTurn = 1000;

  const Listing* of(std::string_view peer) const {
    for (const Listing& listing : open_)
      if (listing.peer == peer) return &listing;
    return nullptr;
  }
  /// Whether the list of the connection was asked for with another key.
  bool is_anothers(std::string_view peer, std::string_view key) const {
    const Listing* const listing = of(peer);
    return listing && listing->asker.key != key;
  }
  bool is_full_for(std::string_view payer) const {
    const auto of_one = std::count_if(open_.begin(), open_.end(), [&](const Listing& listing) {
      return listing.payer() == payer;
    });
    return open_.size() >= kMaxListings || static_cast<std::size_t>(of_one) >= kMaxListingsOfOne;
  }
  bool empty() const { return open_.empty(); }

  void add(Listing listing) { open_.push_back(std::move(listing)); }
  Listing& front() { return open_.front(); }
  void pop() { open_.pop_front(); }
  /// The others come first.
  void rotate() { open_.splice(open_.end(), open_, open_.begin()); }
  void forget_peer(std::string_view peer) {
    open_.remove_if([&](const Listing& listing) { return listing.peer == peer; });
  }
  void forget(const KeySet& keys) {
    open_.remove_if([&](const Listing& listing) { return keys.contains(listing.asker.key); });
  }

 private:
  std::list<Listing> open_;
};

}  // namespace genai::dispatcher
