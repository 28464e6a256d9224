// The client's socket, with its timers, as one descriptor that is readable when there is work.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "genai/client/types.h"
#include "protocol/base/descriptor.h"
#include "protocol/base/time.h"
#include "protocol/base/wakeup.h"
#include "protocol/transport/drain.h"
#include "protocol/transport/socket.h"

namespace genai::client {

/// ZeroMQ's own descriptor is edge-triggered, changes with each new socket, and knows no timers. So
/// an epoll descriptor stands before it, beside a timer and an event that says "look again".
///
/// Not thread-safe. After any other call, settle() must follow before fd() is waited for.
class Connection {
 public:
  /// Throws ClientError.
  explicit Connection(const Config& config);

  int fd() const { return epoll_.get(); }
  /// Makes fd() readable until settle().
  void wake();
  /// Connects anew. What was not sent is forgotten: the caller says again what must be said.
  void renew();
  void send(std::string frame);
  /// Hands the frames that have come to `handle(const Blob&)`, a limited number of them.
  template <class Handle>
  void drain(Handle handle) {
    has_more_ = transport::drain(socket_, kTurn, [&](const transport::Received& received) {
      if (received.well_formed) handle(received.frame);
    });
  }
  /// Sends what is left to send. From then on fd() is readable at `until`, and when something
  /// comes; at once if something was left behind.
  void settle(Duration until);

 private:
  static constexpr transport::Turn kTurn{1000, std::size_t{64} << 20, from_ms(50)};

  transport::Dealer connect();
  void flush();
  void rest();
  void set_timer(Duration until);

  const std::string endpoint_;
  const std::optional<transport::CurveClient> curve_;
  transport::Context context_;
  transport::Dealer socket_;
  Descriptor epoll_;
  Wakeup event_;
  Descriptor timer_;
  std::deque<zmq::message_t> unsent_;
  bool has_more_ = false;
  bool is_awake_ = false;
  Duration timer_at_ = kNever;
};

}  // namespace genai::client
