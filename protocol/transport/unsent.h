// Counts the bytes that wait at a ROUTER for each peer. libzmq limits only the number of messages:
// a peer that asks for much and reads nothing could fill the memory with answers.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "protocol/base/string_map.h"

namespace genai::transport {

/// One thread calls it. Its messages may end in any thread, also after this object has ended.
class Unsent {
 public:
  /// `per_peer`: how many bytes may wait for one peer, unless it is a single message. `in_all`: the
  /// same for all peers. One peer may have at most as many bytes as are still free, so that room is
  /// left for the next peer, however many do not read (dynamic thresholds; Choudhury and Hahne,
  /// "Dynamic queue length thresholds for shared-memory packet switches", 1998).
  Unsent(std::size_t per_peer, std::size_t in_all)
      : per_peer_(per_peer), in_all_(in_all), total_(std::make_shared<Bytes>(0)) {}

  /// Returns whether a frame of so many bytes may wait for this peer.
  bool has_room(std::string_view peer, std::size_t frame_bytes) const;
  /// The memory that libzmq and this object use for a message besides its frame: many small
  /// messages are not free.
  static constexpr std::size_t kOverheadBytes = 256;

  /// Makes a message of the frame (moved). It counts for the peer until it is written or dropped.
  zmq::message_t message(std::string_view peer, std::string&& frame);

  std::size_t bytes() const { return *total_; }

 private:
  using Bytes = std::atomic<std::size_t>;
  struct Account {
    explicit Account(std::shared_ptr<Bytes> all) : total(std::move(all)) {}
    Bytes bytes{0};
    const std::shared_ptr<Bytes> total;
  };
  struct Counted;

  std::shared_ptr<Account> account(std::string_view peer);
  void forget_idle();

  const std::size_t per_peer_, in_all_;
  const std::shared_ptr<Bytes> total_;
  StringMap<std::shared_ptr<Account>> accounts_;
  std::size_t sweep_at_ = 64;  // at this size, peers without waiting messages are forgotten
};

}  // namespace genai::transport
