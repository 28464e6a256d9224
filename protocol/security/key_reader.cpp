#include "protocol/security/key_reader.h"

#include <thread>
#include <utility>

#include "protocol/base/wakeup.h"

namespace genai::transport {

struct KeyReader::Shared {
  const std::string folder;
  const Wakeup done = {};
  std::optional<Expected<KeyRing>> result = {};  // the thread's until it has told
};

KeyReader::KeyReader(std::string folder) : shared_(new Shared{std::move(folder)}) {}

int KeyReader::fd() const { return shared_->done.fd(); }

bool KeyReader::start() {
  again_ = reading_;
  if (again_) return false;
  reading_ = true;
  std::thread([shared = shared_] {
    shared->result = KeyRing::read(shared->folder);
    shared->done.wake();
  }).detach();
  return true;
}

std::optional<Expected<KeyRing>> KeyReader::poll() {
  if (!reading_ || !shared_->done.take()) return std::nullopt;
  reading_ = false;
  if (!again_) return std::exchange(shared_->result, std::nullopt);
  start();
  return std::nullopt;
}

}  // namespace genai::transport
