#include "coverage.h"

#include "broker/lines.h"

namespace genai::sim {
namespace {

// In the order of node::Event::Kind.
constexpr std::string_view kEvents[] = {
    "joined",       "no_broker", "reconnecting",    "refused",      "protocol_error",
    "task_started", "task_done", "task_failed",     "task_aborted", "task_returned",
    "leaving",      "left",      "session_replaced"};

// Every edge of the life of a task, and an entry in its log that leaves it where it is.
constexpr std::string_view kEdges[] = {
    "Unscheduled>Scheduled", "Unscheduled>Sent",      "Unscheduled>Completed",
    "Unscheduled>Aborted",   "Unscheduled>Failed",    "Unscheduled>Unscheduled",
    "Scheduled>Sent",        "Scheduled>Unscheduled", "Scheduled>Completed",
    "Scheduled>Aborted",     "Scheduled>Failed",      "Sent>Unscheduled",
    "Sent>Completed",        "Sent>Aborted",          "Sent>Failed",
    "Failed>Failed"};

constexpr std::string_view kOthers[] = {"assignment sent again",
                                        "broker malformed frame",
                                        "broker undeliverable",
                                        "client renews its connection",
                                        "dispatcher malformed frame",
                                        "dispatcher refused a stranger",
                                        "node drops a task",
                                        "store ok",
                                        "store low",
                                        "store full",
                                        "store a part fits",
                                        "store behind: clients wait",
                                        "store commit fenced",
                                        "verdict ok",
                                        "verdict queue_full",
                                        "verdict store_full",
                                        "verdict draining",
                                        "cancel ok",
                                        "cancel already_terminal",
                                        "purge ok",
                                        "delete ok",
                                        "data read",
                                        "fetched a part",
                                        "read a bundle",
                                        "replay ok",
                                        "reprioritise ok",
                                        "reprioritise not_queued",
                                        "delivered Completed ok",
                                        "delivered Aborted cancelled",
                                        "delivered Failed expired",
                                        "delivered Failed deadline_missed",
                                        "delivered Failed task_error",
                                        "delivered Failed time_limit"};

}  // namespace

std::string_view name(node::Event::Kind kind) { return kEvents[static_cast<std::size_t>(kind)]; }

Coverage::Coverage() {
  for (const auto& line : broker::line::kAll) counts_["broker: " + std::string(line.text)];
  // No broker of this release says that a session was replaced.
  for (const auto event : kEvents)
    if (event != "session_replaced") counts_["node " + std::string(event)];
  for (const auto edge : kEdges) counts_["task " + std::string(edge)];
  for (const auto other : kOthers) counts_[std::string(other)];
}

}  // namespace genai::sim
