// A descriptor for a poll set. Any thread can make it readable.
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

#include "protocol/base/descriptor.h"

namespace genai {

class Wakeup {
 public:
  /// Throws std::system_error if the system has no descriptor left.
  Wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  /// The descriptor is readable from wake() until take().
  int fd() const { return fd_.get(); }
  /// Thread-safe. Never blocks.
  void wake() const { ::eventfd_write(fd(), 1); }
  /// Returns whether wake() was called since the last take().
  bool take() const {
    eventfd_t count = 0;
    return ::eventfd_read(fd(), &count) == 0;
  }

 private:
  Descriptor fd_;
};

}  // namespace genai
