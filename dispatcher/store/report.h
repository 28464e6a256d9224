// What the end of a commit tells the committer, and what the committer tells people of the store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dispatcher/store/store.h"

namespace genai::dispatcher {

namespace store {

/// What became of a batch, or of a look at the store.
struct CommitReport {
  Result<void> result = {};
  Batch left = {};          // after kFull and kLocked: the part of the batch that is not written
  std::size_t entries = 0;  // of the batch, written or not; 0: it was a look
  std::uint64_t took_us = 0;
  bool low = false;  // the store's room
};

}  // namespace store

struct StoreReport {
  enum class State : std::uint8_t {
    kOk,
    kLow,   // no new tasks: the room that is left is for results
    kFull,  // nothing can be written: no new tasks, and nodes get no more work
  };
  std::string name = "memory";
  State state = State::kOk;
  std::uint64_t commits = 0, tasks = 0;  // so far; a task counts once per commit
  std::uint64_t last_us = 0;             // how long the last commit took
};

inline std::string_view name(StoreReport::State state) {
  constexpr std::array<std::string_view, 3> kNames = {"ok", "low", "full"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace genai::dispatcher
