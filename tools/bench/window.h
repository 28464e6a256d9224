// A closed loop: a client that submits when a task of its own is done.
#pragma once

#include "tools/bench/pacer.h"

namespace genai::bench {

/// At most `size` tasks are submitted and not yet delivered; times count from the SUBMIT.
class Window : public Pacer {
 public:
  /// All at least 1.
  Window(std::size_t size, std::size_t batch, std::uint64_t tasks)
      : Pacer(batch, tasks), size_(size) {}

  std::size_t room(Duration now) const override;
  Duration next_due() const override { return kNever; }
  void close() override { closed_ = true; }

 private:
  Duration begin_of(std::size_t, Duration now) const override { return now; }

  const std::size_t size_;
};

}  // namespace genai::bench
