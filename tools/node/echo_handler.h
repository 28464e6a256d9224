// genai-node --echo: gives the payload back, with faults on demand. For tests.
#pragma once

#include <chrono>
#include <cstdint>

#include "genai/node.h"

namespace genai::node {

struct EchoOptions {
  std::chrono::milliseconds delay{0};  // reported as progress; ended by an abort
  double fail_ratio = 0;               // of tasks that end with "echo: told to fail"
  double drop_ratio = 0;               // of tasks that are forgotten after their acknowledgement
  std::uint64_t seed = 0;              // which of the tasks, counted in their order of starting
};

Handler echo_handler(const EchoOptions& options);

}  // namespace genai::node
