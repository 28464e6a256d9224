#include "fault.h"

namespace genai::sim {

std::string_view name(Fault fault) {
  static constexpr std::string_view kNames[kFaults] = {"loss",
                                                       "duplicate",
                                                       "reorder",
                                                       "delay",
                                                       "one_way",
                                                       "partition",
                                                       "broker_crash",
                                                       "dispatcher_crash",
                                                       "node_crash",
                                                       "client_crash",
                                                       "unsynced",
                                                       "io_error",
                                                       "disk_full",
                                                       "slow_disk",
                                                       "reset",
                                                       "pause",
                                                       "clock_step",
                                                       "stale_session",
                                                       "stale_dispatcher",
                                                       "impostor",
                                                       "burst",
                                                       "operator",
                                                       "lying_node"};
  return kNames[static_cast<std::size_t>(fault)];
}

}  // namespace genai::sim
