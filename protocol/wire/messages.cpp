#include "protocol/wire/messages.h"

#include <array>

namespace genai {

Message::Message() = default;
Message::Message(const Message&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

std::string_view name(TaskStatus status) {
  static constexpr std::array<std::string_view, 6> kNames = {"Unscheduled", "Scheduled", "Sent",
                                                             "Aborted",     "Completed", "Failed"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string_view name(ProviderState state) {
  static constexpr std::array<std::string_view, 5> kNames = {"online", "suspect", "draining",
                                                             "lost", "left"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace genai
