#include <utility>

#include "genai/node.h"

namespace genai::node {

Reply::Reply(std::shared_ptr<TaskContext> context,
             std::function<void(std::optional<TaskResult>)> finish)
    : context_(std::move(context)), finish_(std::move(finish)) {}

Reply::Reply(Reply&& other) noexcept
    : context_(std::move(other.context_)), finish_(std::exchange(other.finish_, {})) {}

Reply& Reply::operator=(Reply&& other) noexcept {
  Reply old(std::move(*this));
  context_ = std::move(other.context_);
  finish_ = std::exchange(other.finish_, {});
  return *this;
}

Reply::~Reply() {
  if (finish_) finish_(std::nullopt);
}

void Reply::finish(TaskResult result) {
  if (const auto finish = std::exchange(finish_, {})) finish(std::move(result));
}

}  // namespace genai::node
