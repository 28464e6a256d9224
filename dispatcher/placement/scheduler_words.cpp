// What people are told of the scheduler's choice when a task waits though a provider is free.
#include <fmt/format.h>

#include <cmath>

#include "dispatcher/placement/scheduler.h"

namespace genai::dispatcher {

using Standing = Ranking::Standing;

std::string Scheduler::words_of(const Choice& choice, const TaskClass& group,
                                const Now& now) const {
  if (!choice.rather_than) return "";
  const auto node = [](const Standing* at) { return at->provider->node_id.str(); };
  const bool weighs_cost = std::isfinite(group.key.time_to_money_ratio);
  const auto when = [&](const Standing* at) {
    const Offer offer = fleet_.offer(*at->provider, group, now.mono);
    std::string text = fmt::format("in {:.1f} s", offer.finish_s());
    if (weighs_cost) text += fmt::format(" at cost {:g}", offer.cost);
    return text;
  };
  const std::string rather = node(choice.rather_than);
  switch (choice.wait) {
    case Wait::kSooner:
      return fmt::format("waits for {}, done {}, rather than {}, {}", node(choice.waits_for),
                         when(choice.waits_for), rather, when(choice.rather_than));
    case Wait::kCheaper:
      return fmt::format("waits for {}, which costs less than {}", node(choice.waits_for), rather);
    case Wait::kSettled:
      return rather + " goes on with the model that it has loaded, which others wait for";
    case Wait::kHasty:
      return fmt::format("waits for a node that has its model loaded, rather than {}", rather);
    case Wait::kFailed:
      return fmt::format("waits for another node than {}, where it failed", rather);
    case Wait::kNone:
      break;
  }
  return "";
}

/// Of those with room.
std::string Scheduler::obstacle_of(const Choice& choice) {
  switch (choice.wait) {
    case Wait::kSooner:
      return "done later than " + choice.waits_for->provider->node_id.str();
    case Wait::kCheaper:
      return "costs more than " + choice.waits_for->provider->node_id.str();
    case Wait::kHasty:
      return "would load the model first";
    default:
      return "";
  }
}

std::string Scheduler::reason_to_wait(const QueueEntry& task, const Now& now) {
  TaskClass& group = *task.group;
  group.ranking.refresh(fleet_, now.mono);
  if (group.ranking.free().empty()) return "";
  const Choice choice = choose(group, task, now);
  return choice.standing ? "its turn comes: a node is free" : words_of(choice, group, now);
}

}  // namespace genai::dispatcher
