#include "dispatcher/recent_events.h"

#include <fmt/format.h>

#include <algorithm>

namespace genai::dispatcher {

std::string RecentEvents::story() const {
  const std::uint64_t kept = std::min<std::uint64_t>(added_, kKept);
  std::string story = fmt::format("the last {} of {} events:", kept, added_);
  for (std::uint64_t i = added_ - kept; i < added_; ++i) {
    const Event& event = events_[i % kKept];
    story += fmt::format("\n  {} ms {}", to_ms(event.at), event.what);
    if (event.task != 0) story += fmt::format(", task {}", event.task);
    if (event.session != SessionId{}) story += ", session " + event.session.short_hex();
  }
  return story;
}

}  // namespace genai::dispatcher
