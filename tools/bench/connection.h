// A client's connection to the dispatcher: what every measurement sends, asks and waits for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "protocol/transport/socket.h"
#include "protocol/wire/client.h"

namespace genai::bench {

/// Nothing came for 30 s.
struct Silence : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Not thread-safe. Throws std::runtime_error when the dispatcher answers with an error, and
/// Silence when it does not answer.
class Connection {
 public:
  /// `check` is called several times a second; what it throws ends the call under way.
  Connection(transport::Context& context, const std::string& dispatcher,
             std::function<void()> check);

  std::uint64_t next_request() { return ++request_; }
  /// Throws also when the dispatcher does not read, or the connection is lost.
  void send(const ClientRequest& message);
  /// What waits, or nothing once `timeout` or a short time has passed.
  std::optional<ClientReply> receive(Duration timeout = kNever);
  ClientReply must_receive();

  ValueMap stats();
  /// Waits until `count` nodes whose ids begin with `prefix` are online, 30 s at most.
  void wait_online(std::size_t count, const std::string& prefix);

 private:
  template <class Query, class Reply>
  Reply ask();

  const std::function<void()> check_;
  transport::Dealer socket_;
  Duration check_at_{0};
  std::uint64_t request_ = 0;
};

}  // namespace genai::bench
