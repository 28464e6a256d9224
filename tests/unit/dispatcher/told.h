// What a machine has told, by the type of the event.
#pragma once

#include <catch2/catch.hpp>
#include <variant>
#include <vector>

namespace genai::dispatcher::test {

template <class Event, class Any>
std::vector<const Event*> all_told(const std::vector<Any>& told) {
  std::vector<const Event*> found;
  for (const Any& event : told)
    if (const auto* one = std::get_if<Event>(&event)) found.push_back(one);
  return found;
}

template <class Event, class Any>
const Event& only_told(const std::vector<Any>& told) {
  const auto found = all_told<Event>(told);
  REQUIRE(found.size() == 1);
  return *found.front();
}

}  // namespace genai::dispatcher::test
