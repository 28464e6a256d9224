#include "protocol/security/key_reader.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "protocol/transport/descriptor.h"

namespace genai::transport {

struct KeyReader::Shared {
  const std::string folder;
  const Descriptor done{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::optional<Expected<KeyRing>> result = {};  // the thread's until it has told
};

KeyReader::KeyReader(std::string folder) : shared_(new Shared{std::move(folder)}) {
  if (fd() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

int KeyReader::fd() const { return shared_->done.get(); }

bool KeyReader::start() {
  again_ = reading_;
  if (again_) return false;
  reading_ = true;
  std::thread([shared = shared_] {
    shared->result = KeyRing::read(shared->folder);
    ::eventfd_write(shared->done.get(), 1);
  }).detach();
  return true;
}

std::optional<Expected<KeyRing>> KeyReader::poll() {
  eventfd_t told = 0;
  if (!reading_ || ::eventfd_read(fd(), &told) != 0) return std::nullopt;
  reading_ = false;
  if (!again_) return std::exchange(shared_->result, std::nullopt);
  start();
  return std::nullopt;
}

}  // namespace genai::transport
