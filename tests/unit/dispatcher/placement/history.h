// Random fleets, queues, and what happens to them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/unit/dispatcher/fleet.h"

namespace genai::dispatcher::test {

struct Event {
  std::uint8_t kind = 0;
  std::uint16_t a = 0, b = 0;
};
inline std::ostream& operator<<(std::ostream& out, const Event& e) {
  return out << "{" << int{e.kind} << ", " << e.a << ", " << e.b << "}";
}

inline const std::string kModels[] = {"sd15", "sdxl", "flux"};
inline constexpr double kRunSeconds[] = {2, 20, 90}, kLoadSeconds[] = {4, 15, 40};

inline std::vector<std::string> models_of(unsigned bits) {
  std::vector<std::string> models;
  for (unsigned m = 0; m < 3; ++m)
    if (bits >> m & 1) models.push_back(kModels[m]);
  return models;
}

inline PublicMetaInfo meta_of(unsigned a, unsigned b) {
  PublicMetaInfo meta;
  meta.slots = 1 + a % 4;
  meta.models = models_of(a / 4 % 4 == 0 ? 1 + a / 16 % 7 : 7);
  meta.loaded_models = models_of(b % 8);
  std::erase_if(meta.loaded_models,
                [&](const auto& m) { return std::ranges::count(meta.models, m) == 0; });
  meta.gpu_type = b / 8 % 4 == 0 ? "gtx" : "rtx";
  meta.vram_mib = b / 32 % 4 == 0 ? 8'000 : 24'000;
  meta.min_cost = b / 128 % 3 == 0 ? (b / 384 % 2 == 0 ? 1 : 5) : 0;
  return meta;
}

inline TaskSpec spec_of(unsigned a, unsigned b) {
  TaskSpec spec;
  const unsigned kind = a % 8;  // few kinds, so that some classes are long
  if (kind != 0) spec.needs.model = kModels[kind % 3];
  if (kind == 4) spec.needs.gpu_type = "rtx";
  if (kind == 5) spec.needs.vram_mib = 16'000;
  if (kind == 6) spec.max_cost = 1;
  if (kind == 7) spec.time_to_money_ratio = 0;
  if (kind == 3) spec.time_to_money_ratio = 0.5;
  if (kind <= 2) spec.work = a / 8 % 2 ? 16 : 1;
  spec.tenant = std::string(1, static_cast<char>('a' + b % 3));
  spec.priority = static_cast<std::uint8_t>(b / 3 % 10);
  return spec;
}

inline PlacementPolicy config_of(unsigned prefetch) {
  PlacementPolicy config;
  config.prefetch = prefetch;
  config.quotas = {{"b", {3, 0, 0, 0}}, {"c", {1, 0, 3, 0}}};
  return config;
}

struct History : Fleet {
  /// `frozen`: nothing is measured once the fleet is set up, so that what rankings know of the
  /// fleet as a whole never is a little old, and decisions are exact.
  History(unsigned prefetch, bool is_frozen) : Fleet(config_of(prefetch)), frozen(is_frozen) {}

  const bool frozen;
  std::vector<std::string> nodes;

  Provider* pick_node(unsigned a) {
    return nodes.empty() ? nullptr : providers.find_node(*NodeId::parse(nodes[a % nodes.size()]));
  }
  QueueEntry* pick_task(unsigned a, bool placed) {
    std::vector<QueueEntry*> fitting;
    for (QueueEntry& task : tasks)
      if (task.group && task.record->is_assigned() == placed) fitting.push_back(&task);
    return fitting.empty() ? nullptr : fitting[a % fitting.size()];
  }

  void join_one(unsigned a, unsigned b) {
    if (nodes.size() >= 40) return;
    nodes.push_back("n" + std::to_string(sessions));
    Provider& provider = join(nodes.back(), meta_of(a, b));
    if (a / 64 % 4 == 0) return;  // a newcomer
    const double slower = std::exp2(static_cast<double>(b / 8 % 16) / 4 - 2);
    for (unsigned m = 0; m < 3; ++m) {
      if (std::ranges::count(provider.meta.models, kModels[m]) == 0) continue;
      for (unsigned i = 0; i < 1 + a / 256 % 8; ++i)
        ran(provider, kModels[m], kRunSeconds[m] * slower, i == 0 ? kLoadSeconds[m] : 0, m + 1.0);
    }
    for (unsigned i = 0; i < b / 1024 % 4; ++i)
      measures.failed(provider.record->measured, measures.model("sdxl"), false, 0);
    providers.reindex(provider, now.mono);
  }

  void end_task(QueueEntry& task, bool well) {
    if (frozen) {
      Provider& provider = take(task);
      record_of(task).status = well ? TaskStatus::kCompleted : TaskStatus::kUnscheduled;
      record_of(task).attempt(task.record->current)->failed = !well;
      well ? backlog.forget(task) : backlog.add(task, now.mono);
      well ? providers.count_success(provider, now.mono)
           : providers.count_failure(provider, now.mono);
    } else {
      well ? complete(task) : fail(task);
    }
  }

  void happen(const Event& e) {
    Provider* node = pick_node(e.a);
    switch (e.kind % 20) {
      case 0:
      case 1:
      case 2:
      case 3:
        for (unsigned i = 0; i <= e.b / 64 % 6; ++i) add(spec_of(e.a, e.b + i));
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        if (QueueEntry* task = pick_task(e.a, true)) end_task(*task, true);
        break;
      case 8:
        if (QueueEntry* task = pick_task(e.a, true)) end_task(*task, false);
        break;
      case 9:
      case 10:
        pass(e.a % 500 / 100.0);
        break;
      case 11:
        pass(e.a % 300);
        break;
      case 12:
        // What is measured of a newcomer is measured of the whole fleet.
        join_one(frozen ? e.a & ~0xC0u : e.a, frozen ? e.b & 0x3FF : e.b);
        break;
      case 13:
        if (!node) break;
        std::erase(nodes, node->node_id.str());
        leave(*node);
        break;
      case 14:
        if (node) set_reach(*node, e.b % 2 ? Reach::kOnline : Reach::kSuspect);
        break;
      case 15:
        if (!node) break;
        node->record->drained = e.b % 4 == 0;
        providers.reindex(*node, now.mono);
        break;
      case 16:
        if (!node) break;
        switch (e.b % 6) {
          case 0:
            return providers.bar(*node, now.mono);
          case 1:
            return providers.count_failure(*node, now.mono);
          case 2:
            return providers.count_fault(*node, now.mono);
          case 3:
            return providers.count_unfit(*node, "no room on the disk", now.mono);
          case 4:
            return providers.clear_unfit(*node, now.mono);
          default:
            return providers.count_refusal(*node, now.mono);
        }
      case 17:
        if (node) providers.set_loaded(*node, models_of(e.b % 8), now.mono);
        break;
      case 18:
        if (!node) break;
        {
          PublicMetaInfo meta = node->meta;
          meta.slots = 1 + e.b % 4;
          providers.set_meta(*node, meta, now.mono);
        }
        break;
      case 19:
        if (e.b % 2) {
          if (QueueEntry* task = pick_task(e.a, false); task && task->not_before <= now.mono)
            backlog.set_priority(*task, e.b / 2 % 10);
        } else if (node) {
          node->aborting = node->aborting == 0 ? 1 : 0;
          providers.reindex(*node, now.mono);
        }
        break;
    }
    while (Provider* due = providers.next_due(now.mono)) providers.reindex(*due, now.mono);
    backlog.release_due(now.mono);
  }
};

}  // namespace genai::dispatcher::test
