// What the dispatcher tells of itself: the open maps of TASKS, NODE_LIST and STATS_REPLY.
#pragma once

#include "dispatcher/core.h"

namespace genai::dispatcher {

/// Keys as SPEC.md lists them.
struct Reports {
  static ValueMap task(const Core& core, const Task& task, bool with_log, const Now& now,
                       Explanations& explanations);
  static ValueMap node(const Provider& provider);
  static ValueMap stats(const Core& core, const Now& now);
};

}  // namespace genai::dispatcher
