// Whole lives of tasks through the cores of broker and dispatcher, without sockets: the same steps
// in every run, so that what they cost can be counted instead of timed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/core.h"
#include "dispatcher/dispatcher.h"
#include "protocol/wire/messages.h"

namespace genai::micro {

/// While it works in one of the cores.
struct Allocations {
  std::uint64_t broker = 0, dispatcher = 0;
};

class Lives {
 public:
  struct Shape {
    std::size_t nodes = 8, slots = 64;
    std::size_t window = 256, batch = 32;  // of the client
    std::size_t payload_bytes = 256, result_bytes = 256;
  };

  explicit Lives(const Shape& shape);

  /// Submits `tasks`, and goes on until the client has acknowledged each result. Throws
  /// std::runtime_error when that does not come to an end.
  void run(std::size_t tasks);
  const Allocations& allocations() const { return allocations_; }

 private:
  void join();
  void submit();
  void pass();
  void serve(const std::string& peer, const std::string& frame);
  void read(const std::string& frame);
  void to_broker(const std::string& frame);
  void to_dispatcher(const std::string& frame);
  void from_node(const std::string& peer, const Message& message);
  void send(const dispatcher::Messages& messages);

  const Shape shape_;
  const std::string picture_;
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  broker::Core broker_;
  dispatcher::Dispatcher dispatcher_;
  Allocations allocations_;
  std::size_t submitted_ = 0, to_submit_ = 0, open_ = 0;
};

}  // namespace genai::micro
