#include "tools/node/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace genai::node {

Mailbox::Mailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { close(fd_); }

void Mailbox::signal() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void Mailbox::put(Report::Kind report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
  signal();
}

void Mailbox::put_progress(Report::Progress progress) {
  const std::lock_guard lock(mutex_);
  for (Report::Kind& report : reports_) {
    auto* waiting = std::get_if<Report::Progress>(&report);
    if (waiting && waiting->ref == progress.ref) return void(*waiting = std::move(progress));
  }
  reports_.push_back(std::move(progress));
  signal();
}

std::vector<Report::Kind> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(fd_, &count, sizeof count);
  return std::exchange(reports_, {});
}

}  // namespace genai::node
