// Reads a folder of keys on a thread of its own: tens of thousands of files take seconds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "protocol/security/key_ring.h"

namespace genai::transport {

/// One thread uses it. If the folder does not answer (a dead network mount), its thread waits until
/// the process ends.
class KeyReader {
 public:
  explicit KeyReader(std::string folder);

  /// Starts to read. Returns false if it is reading already: then it reads once more afterwards,
  /// because files may have changed.
  bool start();
  /// Returns the keys that were read, once.
  std::optional<Expected<KeyRing>> poll();
  /// A descriptor that is readable when poll() should be called.
  int fd() const;

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
  bool reading_ = false, again_ = false;
};

}  // namespace genai::transport
