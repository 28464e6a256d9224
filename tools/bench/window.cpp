#include "tools/bench/window.h"

#include <algorithm>

namespace genai::bench {

std::size_t Window::room(Duration) const {
  if (closed_) return 0;
  return std::min({batch_, size_ - open(), static_cast<std::size_t>(tasks_ - submitted())});
}

}  // namespace genai::bench
