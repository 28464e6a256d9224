// What goes to the dispatcher, in the order it happened: membership as a snapshot and numbered
// deltas, parcels from nodes, undelivered parcels. Neighbours of one kind share a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "broker/effects.h"
#include "protocol/wire/link.h"

namespace genai::broker {

/// While no dispatcher is connected, everything put in is dropped: the next snapshot has what
/// matters, and nodes repeat their results.
class LinkOutbox {
 public:
  explicit LinkOutbox(const InstanceId& broker) : broker_(broker) {}

  /// From now on all goes to `peer`, beginning with a snapshot of `providers`, in as many parts as
  /// it takes.
  void connect(const Peer& peer, std::vector<msg::ProviderEntry> providers, std::uint64_t uptime_ms,
               Effects& effects);
  /// What has not been flushed is dropped.
  void disconnect();
  bool connected() const { return peer_.has_value(); }

  void put(msg::Delta::Change change, Effects& effects);
  void put(msg::Parcel parcel, Effects& effects);
  void put(const msg::Undelivered::Entry& entry, Effects& effects);
  /// Closes the message under way.
  void flush(Effects& effects);
  bool pending() const { return !std::holds_alternative<std::monostate>(open_); }

  /// Flushes, then sends the broker's sign of life.
  void put_heartbeat(Effects& effects);

  /// Number of the last delta that was given out.
  std::uint64_t seq() const { return seq_; }

  void check_invariants() const;

 private:
  template <class M>
  M& room_for(std::size_t bytes, Effects& effects);
  void send(const LinkToDispatcher& message, Effects& effects);

  InstanceId broker_;
  std::optional<Peer> peer_;
  std::uint64_t seq_ = 0;
  std::variant<std::monostate, msg::Delta, msg::FromNodes, msg::Undelivered> open_;
  std::size_t open_entries_ = 0;
  std::size_t open_bytes_ = 0;
};

}  // namespace genai::broker
