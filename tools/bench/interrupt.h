// Ctrl-C ends a measurement in order: the daemons and their folders go too.
#pragma once

#include <stdexcept>

#include "protocol/runtime/signals.h"

namespace genai::bench {

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

/// Make it before any thread or ZeroMQ context exists.
class Interrupt {
 public:
  /// Throws Interrupted once SIGINT or SIGTERM (or SIGHUP) has come. Any thread, any number of
  /// times: the signal stays to be seen by the others.
  void check() const;

 private:
  runtime::SignalFd signals_;
};

}  // namespace genai::bench
