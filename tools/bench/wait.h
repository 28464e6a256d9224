// Waiting for a socket until a time as exact as an open loop needs it.
#pragma once

#include <zmq.hpp>

#include "protocol/base/time.h"

namespace genai::bench {

/// Returns when `socket` may have something to read, or `timeout` has passed. Unlike zmq::poll it
/// does not round to milliseconds, in which many tasks can be due.
void wait_readable(zmq::socket_ref socket, Duration timeout);

}  // namespace genai::bench
