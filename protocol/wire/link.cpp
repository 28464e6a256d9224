#include "protocol/wire/link.h"

#include <array>

namespace genai {

GENAI_ONE_OF_COMPILED(LinkToBroker)
GENAI_ONE_OF_COMPILED(LinkToDispatcher)

std::string_view name(ProviderState state) {
  static constexpr std::array<std::string_view, 5> kNames = {"online", "suspect", "draining",
                                                             "lost", "left"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace genai
