// What a ROUTER still holds for its peers, in bytes: libzmq bounds its queues in messages only, so
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

/// One thread calls it; messages may end in any thread, also after it is gone.
class Unsent {
 public:
  /// `per_peer`: at most so many bytes wait for one peer, or one message.
  /// `in_all`: for all of them; each may have as much as is still free, so that however many do not
  /// read, room is left for who comes next (dynamic thresholds; Choudhury and Hahne, "Dynamic queue
  /// length thresholds for shared-memory packet switches", 1998).
  Unsent(std::size_t per_peer, std::size_t in_all)
      : per_peer_(per_peer), in_all_(in_all), total_(std::make_shared<Bytes>(0)) {}

  /// For a frame of so many bytes.
  bool has_room(std::string_view peer, std::size_t frame_bytes) const;
  /// What libzmq and this take for a message beside its frame: many small ones must not count as
  /// nothing.
  static constexpr std::size_t kOverheadBytes = 256;

  /// Counts the frame for the peer until the message is written or thrown away. Moves the text.
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
  std::size_t sweep_at_ = 64;  // peers come and go: those with nothing waiting are forgotten
};

}  // namespace genai::transport
