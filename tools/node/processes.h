// The processes of this machine, as /proc lists them.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace genai::node {

/// One pass over /proc. It allocates nothing and makes only async-signal-safe calls, so that the
/// forked child of a threaded process may use it. A process that is born during the pass may be
/// missed. Lists nothing where /proc is not mounted.
class Processes {
 public:
  struct Entry {
    pid_t pid;
    pid_t parent;
    bool is_zombie;
  };

  Processes() noexcept;
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  /// False at the end.
  bool next(Entry& entry) noexcept;

 private:
  bool read_stat(const char* name, Entry& entry) noexcept;

  int proc_;
  // Small on purpose: the kernel names a few processes at a time, so that each is looked at right
  // after it was named. Else one that lives for a millisecond would always be gone already.
  alignas(8) char names_[128];
  std::size_t filled_ = 0;
  std::size_t at_ = 0;
};

}  // namespace genai::node
