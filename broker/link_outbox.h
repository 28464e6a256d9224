// What goes to the dispatcher, in the order it happened: membership as a snapshot and numbered
// deltas, parcels from nodes, undelivered parcels. Neighbours of one kind share a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker/events.h"
#include "protocol/base/metrics.h"
#include "protocol/wire/link.h"

namespace genai::broker {

/// While no dispatcher is connected, everything put in is dropped: the next snapshot has what
/// matters, and nodes repeat their results. Registers what it counts.
class LinkOutbox {
 public:
  LinkOutbox(const InstanceId& broker, Metrics& metrics);

  /// From now on all goes to `peer`, beginning with a snapshot of `providers`, in as many parts as
  /// it takes.
  void connect(const Peer& peer, std::vector<msg::ProviderEntry> providers,
               std::uint64_t uptime_ms);
  /// What has not been flushed is dropped.
  void disconnect();
  bool connected() const { return peer_.has_value(); }

  void put(msg::Delta::Change change);
  void put(msg::Parcel parcel);
  void put(const msg::Undelivered::Entry& entry);
  /// Closes the message under way.
  void flush();
  bool pending() const { return !std::holds_alternative<std::monostate>(open_); }

  /// Flushes, then sends the broker's sign of life.
  void put_heartbeat();

  /// At once, to whoever asked: ahead of what has not been flushed.
  void answer(std::string_view peer, const LinkToDispatcher& message);

  /// What should be sent; empty after the call.
  std::vector<LinkOutput> take_events() { return std::exchange(events_, {}); }
  bool has_events() const { return !events_.empty(); }
  /// Drops what take_events() would return for `peer`: something before it was lost.
  void drop_events(std::string_view peer);

  /// Number of the last delta that was given out.
  std::uint64_t seq() const { return seq_; }

  /// Aborts when something is wrong.
  void check() const;

 private:
  template <class M>
  M& room_for(std::size_t bytes);
  void send(const LinkToDispatcher& message) { answer(*peer_, message); }

  InstanceId broker_;
  Counter& forwarded_;
  Counter& forwarded_bytes_;
  Counter& dropped_;
  Counter& undelivered_;
  std::optional<Peer> peer_;
  std::uint64_t seq_ = 0;
  std::variant<std::monostate, msg::Delta, msg::FromNodes, msg::Undelivered> open_;
  std::size_t open_entries_ = 0;
  std::size_t open_bytes_ = 0;
  std::vector<LinkOutput> events_;
};

}  // namespace genai::broker
