// How often each thing that should happen did.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "genai/node.h"

namespace genai::sim {

std::string_view name(node::Event::Kind kind);

/// By name, e.g. "task Sent>Completed". What is expected starts at zero, so that what never
/// happened shows.
class Coverage {
 public:
  Coverage();
  void count(const std::string& what, std::uint64_t times = 1) { counts_[what] += times; }
  void add(const Coverage& other) {
    for (const auto& [what, times] : other.counts_) counts_[what] += times;
  }
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace genai::sim
