// The reference: two processes that forward frames and know nothing of them (zmq::proxy), which is
// the least that client, dispatcher, broker and node can cost when each task is a message.
#pragma once

#include <string>

#include "tools/bench/children.h"

namespace genai::bench {

/// Runs one hop in this process until it is killed: what comes in at `front` (bound) leaves at
/// `back`, to whoever is next, and back. `bind_back`: workers connect to it; else it connects.
void run_hop(const std::string& front, const std::string& back, bool bind_back);

/// Both hops on ipc sockets in a temporary folder; all of it goes with this object.
class RawProxy {
 public:
  RawProxy();

  const std::string& front() const { return front_; }
  const std::string& back() const { return back_; }
  /// Of the hop that stands in the dispatcher's place, and of the one in the broker's.
  Usage first() const { return first_.usage(); }
  Usage second() const { return second_.usage(); }
  /// Throws std::runtime_error when one has ended.
  void check() const;

 private:
  const Folder sockets_;
  const std::string front_, middle_, back_;
  const Child second_, first_;
};

}  // namespace genai::bench
