// What the dispatcher tells of itself: the open maps of TASKS, NODE_LIST and STATS_REPLY.
#pragma once

#include "dispatcher/core.h"

namespace genai::dispatcher {

/// Keys as SPEC.md lists them.
struct Reports {
  static ValueMap task(Core& core, const Task& task, bool with_log, const Now& now,
                       Explanations& explanations);
  static ValueMap node(const Core& core, const Provider& provider, bool measured, const Now& now);
  static ValueMap stats(const Core& core, const Now& now);

 private:
  static void add_outlook(ValueMap& map, Core& core, const Task& task, const Now& now);
  static ValueList candidates_of(Core& core, const Task& task, const Now& now);
  static ValueList measured_of(const Core& core, const Provider& provider);
  static ValueList tenants_of(const Core& core);
};

}  // namespace genai::dispatcher
