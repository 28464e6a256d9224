// A small name for a task that the table knows, by which others keep what they
// know of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

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
    while (rows_.size() <= task) rows_.emplace_back();
    return rows_[task];
  }
  /// Null where nothing was ever kept.
  const Row* find(TaskHandle task) const { return task < rows_.size() ? &rows_[task] : nullptr; }
  std::size_t size() const { return rows_.size(); }

 private:
  std::deque<Row> rows_;
};

}  // namespace genai::dispatcher
