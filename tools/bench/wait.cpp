#include "tools/bench/wait.h"

#include <poll.h>

#include <ctime>

namespace genai::bench {

void wait_readable(zmq::socket_ref socket, Duration timeout) {
  // The descriptor only tells of changes: what has come before it was looked at must be asked for.
  if (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) return;
  if (timeout.count() <= 0) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec left{seconds.count(), std::chrono::nanoseconds(timeout - seconds).count()};
  pollfd item{socket.get(zmq::sockopt::fd), POLLIN, 0};
  ppoll(&item, 1, &left, nullptr);
}

}  // namespace genai::bench
