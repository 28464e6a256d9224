// Reads a folder of keys beside the loop: tens of thousands of files take seconds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "protocol/security/key_ring.h"

namespace genai::transport {

/// One thread uses it. A folder that does not answer (a dead network mount) is left to its thread,
/// which the end of the process ends.
class KeyReader {
 public:
  explicit KeyReader(std::string folder);

  /// Begins to read. While it reads, false: once more when that has ended, since files may have
  /// changed.
  bool start();
  /// What was read, once.
  std::optional<Expected<KeyRing>> poll();
  /// Readable when poll() should be asked.
  int fd() const;

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
  bool reading_ = false, again_ = false;
};

}  // namespace genai::transport
