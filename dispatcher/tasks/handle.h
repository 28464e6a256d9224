// A small name for a task that the table knows, by which others keep what they
// know of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace genai::dispatcher {

/// Given when a task becomes known, and again to another one when it is
/// forgotten. Dense: the smallest numbers that are free.
using TaskHandle = std::uint32_t;

/// What one owner knows of each task. Rows stay where they are. Whoever has
/// rows of a task resets its row before the task is forgotten.
template <class Row>
class ByHandle {
 public:
  Row& operator[](TaskHandle task) {
    if (task / kRows >= pages_.size()) grow(task);
    return (*pages_[task / kRows])[task % kRows];
  }
  /// Null where nothing was ever kept.
  const Row* find(TaskHandle task) const {
    return task / kRows < pages_.size() ? &(*pages_[task / kRows])[task % kRows] : nullptr;
  }

 private:
  static constexpr std::size_t kRows = 256;
  using Page = std::array<Row, kRows>;

  [[gnu::noinline]] void grow(TaskHandle task) {
    while (task / kRows >= pages_.size()) pages_.push_back(std::make_unique<Page>());
  }

  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace genai::dispatcher
