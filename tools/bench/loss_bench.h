// What it takes the dispatcher's core to requeue what nodes held that are lost.
#pragma once

#include <cstddef>

namespace genai::bench {

/// From the frame that tells that all of them are lost until every task is in the queue again, in
/// milliseconds of this machine. Each node executes `tasks` / `nodes`, at most kMaxSlots.
double lose_nodes_ms(std::size_t nodes, std::size_t tasks);

}  // namespace genai::bench
