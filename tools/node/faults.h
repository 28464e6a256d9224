// Fault injection, for genai-node --echo and the tests: a node that loses what it acknowledged.
#pragma once

#include "genai/node.h"

namespace genai::node {

inline constexpr std::uint16_t kDroppedCode = 65'535;  // no code of the protocol

/// The task is forgotten without a word.
inline TaskResult dropped() {
  TaskResult result;
  result.kind = TaskResult::Kind::kError;
  result.code = kDroppedCode;
  return result;
}
inline bool is_dropped(const TaskResult& result) {
  return result.kind == TaskResult::Kind::kError && result.code == kDroppedCode;
}

}  // namespace genai::node
