#include "tools/node/mailbox.h"

#include <utility>

namespace genai::node {

void Mailbox::put(Report::Kind report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
  wakeup_.wake();
}

void Mailbox::put_progress(Report::Progress progress) {
  const std::lock_guard lock(mutex_);
  for (Report::Kind& report : reports_) {
    auto* waiting = std::get_if<Report::Progress>(&report);
    if (waiting && waiting->ref == progress.ref) return void(*waiting = std::move(progress));
  }
  reports_.push_back(std::move(progress));
  wakeup_.wake();
}

std::vector<Report::Kind> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  wakeup_.take();
  return std::exchange(reports_, {});
}

}  // namespace genai::node
