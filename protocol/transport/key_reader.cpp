#include "protocol/transport/key_reader.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace genai::transport {

KeyReader::KeyReader(std::string folder)
    : folder_(std::move(folder)), done_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (done_.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

KeyReader::~KeyReader() {
  if (thread_.joinable()) thread_.join();
}

void KeyReader::start() {
  again_ = thread_.joinable();
  if (again_) return;
  thread_ = std::thread([this] {
    result_ = KeyRing::read(folder_);
    ::eventfd_write(done_.get(), 1);
  });
}

std::optional<Expected<KeyRing>> KeyReader::poll() {
  eventfd_t told = 0;
  if (::eventfd_read(done_.get(), &told) != 0) return std::nullopt;
  thread_.join();
  if (!again_) return std::exchange(result_, std::nullopt);
  start();
  return std::nullopt;
}

}  // namespace genai::transport
