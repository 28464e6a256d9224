// A promise that was broken: what ends the run of a seed.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace genai::sim {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Fails the seed with the sentence unless the condition holds.
template <class... Args>
void require(bool holds, fmt::format_string<Args...> text, Args&&... args) {
  if (!holds) throw Failure(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace genai::sim
