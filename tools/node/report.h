// What other threads tell the node's loop, and the loop its session core.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "genai/node.h"
#include "protocol/wire/assignment_ref.h"

namespace genai::node {

struct Report {
  struct Progress {
    AssignmentRef ref;
    double fraction;
    std::string text;
  };
  /// An execution that was started has ended, stopped or not. Exactly once per start.
  struct Finished {
    AssignmentRef ref;
    TaskResult result;
  };
  /// The three below: see Node's functions of these names.
  struct Leave {
    std::string reason;
  };
  struct Force {};
  struct LoadedModels {
    std::vector<std::string> models;
  };
  using Kind = std::variant<Progress, Finished, Leave, Force, LoadedModels>;
};

}  // namespace genai::node
