// Reads a folder of keys beside the loop: tens of thousands of files take seconds.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "protocol/transport/descriptor.h"
#include "protocol/transport/key_ring.h"

namespace genai::transport {

/// One thread uses it.
class KeyReader {
 public:
  explicit KeyReader(std::string folder);
  /// Waits for what is being read.
  ~KeyReader();
  KeyReader(const KeyReader&) = delete;

  /// Begins to read. While it reads: once more when that has ended, since files may have changed.
  void start();
  /// What was read, once.
  std::optional<Expected<KeyRing>> poll();
  /// Readable when poll() should be asked.
  int fd() const { return done_.get(); }

 private:
  const std::string folder_;
  const Descriptor done_;
  bool again_ = false;
  std::optional<Expected<KeyRing>> result_;  // the thread's until it has told
  std::thread thread_;
};

}  // namespace genai::transport
