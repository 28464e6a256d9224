#include "dispatcher/desk/reports.h"

#include <algorithm>
#include <cmath>

#include "dispatcher/tasks/lateness.h"
#include "dispatcher/tasks/result_info.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

ValueList texts(const std::vector<std::string>& from) {
  return ValueList(from.begin(), from.end());
}

ValueList log_of(const Task& task) {
  ValueList list;
  for (const LogEntry entry : task.log) {
    ValueMap map{{"at_ms", entry.at_ms}, {"status", name(entry.status)}, {"reason", entry.reason}};
    if (!entry.node_id.empty()) map["node_id"] = entry.node_id.str();
    if (entry.attempt) map["attempt"] = entry.attempt;
    list.emplace_back(std::move(map));
  }
  return list;
}

std::uint64_t ms(double seconds) {
  return static_cast<std::uint64_t>(std::clamp(seconds * 1000, 0.0, 1e15));
}

std::string_view result_of(const Task& task) {
  if (!task.fetched) return "waiting";
  return get_bool(task.info, kResultDropped) ? "dropped" : "fetched";
}

}  // namespace

ValueMap Reports::task(Core& core, const Task& task, bool with_log, const Now& now,
                       Explanations& explanations) {
  const Duration until = is_terminal(task.status) ? task.ended_at : now.mono;
  ValueMap map{{"task_id", task.id.str()},
               {"status", name(task.status)},
               {"attempt", task.issued.empty() ? 0u : task.issued.back().number},
               {"faults", task.faults},
               {"losses", task.losses},
               {"drains", task.drains},
               {"created_ms", task.created_ms},
               {"age_ms", to_ms(until - task.accepted_at)}};
  if (!task.spec.label().empty()) map["label"] = task.spec.label();
  if (!task.spec.model().empty()) map["model"] = task.spec.model();
  if (task.is_assigned()) {
    map["node_id"] = task.attempt(task.current)->node_id.str();
    const auto progress = core.progress_.find(task.handle);
    const bool has_any = progress != core.progress_.end();
    map["fraction"] = has_any ? progress->second.fraction : 0.0;
    if (has_any && !progress->second.text.empty()) map["text"] = progress->second.text;
  }
  if (!task.spec.tenant().empty()) map["tenant"] = task.spec.tenant();
  map["priority"] = task.priority();
  if (task.status == TaskStatus::kUnscheduled) {
    map["waiting"] = core.explain(task, explanations, now);
    if (with_log && !task.recovering) map["candidates"] = candidates_of(core, task, now);
  }
  // To look at the fleet for each task would make a long list dear.
  if (with_log && !is_terminal(task.status)) add_outlook(map, core, task, now);
  if (is_terminal(task.status)) {
    map["code"] = name(task.code);
    if (task.status == TaskStatus::kCompleted) map["result"] = result_of(task);
    const ValueMap own = own_info(task);
    const auto told = [&](const char* key) -> const Value* {
      for (const ValueMap* info : {&own, &task.info})
        if (const auto it = info->find(key); it != info->end()) return &it->second;
      return nullptr;
    };
    // Of nodes, who may say anything in it: a page of tasks must stay within a frame.
    for (const char* key : {"node_id", "error"})
      if (const Value* value = told(key))
        if (const auto* text = std::get_if<std::string>(&value->v)) map[key] = clip_text(*text);
    for (const char* key : {"run_ms", "queued_ms", "total_ms"})
      if (const Value* value = told(key); value && is_scalar(*value)) map[key] = *value;
  }
  if (with_log) map["log"] = log_of(task);
  return map;
}

/// When it is expected to end as things are now, and whether that is too late.
void Reports::add_outlook(ValueMap& map, Core& core, const Task& task, const Now& now) {
  const msg::Estimate estimate =
      task.recovering ? msg::Estimate{} : core.scheduler_.estimate(*task.entry, now);
  if (estimate != msg::Estimate{}) {
    map["finish_p50_ms"] = estimate.finish_p50_ms;
    map["finish_p95_ms"] = estimate.finish_p95_ms;
  }
  if (std::string late = lateness(task, task.entry->not_before, estimate, now); !late.empty())
    map["late"] = std::move(late);
}

ValueList Reports::candidates_of(Core& core, const Task& task, const Now& now) {
  constexpr std::size_t kShown = 8;
  ValueList list;
  for (const Candidate& candidate : core.scheduler_.candidates(*task.entry, kShown, now)) {
    const Offer& offer = candidate.offer;
    list.emplace_back(ValueMap{{"node_id", candidate.provider->node_id.str()},
                               {"state", candidate.obstacle},
                               {"finish_ms", ms(offer.finish_s())},
                               {"wait_ms", ms(offer.wait_s)},
                               {"load_ms", ms(offer.load_s)},
                               {"run_ms", ms(offer.run_s)},
                               {"cost", offer.cost}});
  }
  return list;
}

ValueList Reports::measured_of(const Core& core, const Provider& provider) {
  ValueList list;
  for (const ModelAccount& account : provider.record->measured.models)
    for (const auto& [size, run] : account.sizes) {
      const Expectation expected =
          core.measures_.expect(provider.record->measured, account.model, size);
      list.emplace_back(
          ValueMap{{"model", core.measures_.name(account.model)},
                   {"size", std::uint32_t{size}},
                   {"runs", run.weight},
                   {"run_mean_ms", ms(expected.run_s)},
                   {"run_p50_ms", ms(std::exp(run.mean))},
                   {"run_p95_ms", ms(std::exp(run.mean + 1.645 * std::sqrt(run.variance)))},
                   {"load_ms", account.load.empty() ? 0 : ms(std::exp(account.load.mean))},
                   {"success_ratio", expected.success},
                   {"lost", account.lost}});
    }
  return list;
}

ValueMap Reports::node(const Core& core, const Provider& provider, bool measured, const Now& now) {
  const NodeRecord& record = *provider.record;
  ValueMap map = {{"node_id", provider.node_id.str()},
                  {"state", name(provider.reach)},
                  {"slots", provider.meta.slots},
                  {"in_flight", std::uint64_t{provider.outstanding()}},
                  {"models", texts(provider.meta.models)},
                  {"loaded_models", texts(provider.meta.loaded_models)},
                  {"gpu_type", provider.meta.gpu_type},
                  {"ncpu", provider.meta.ncpu},
                  {"ram_mib", provider.meta.ram_mib},
                  {"vram_mib", provider.meta.vram_mib},
                  {"assigned_total", record.assigned},
                  {"completed_total", record.completed},
                  {"failed_total", record.failed},
                  {"lost_total", record.lost},
                  {"drained", record.drained},
                  {"min_cost", provider.meta.min_cost},
                  {"load_ms", ms(provider.unknown == 0 ? provider.wait_s(now.mono) : 0)},
                  {"probation_ms", to_ms(provider.rest_ends() - now.mono)},
                  {"since_ms", provider.since_ms}};
  if (std::string trouble = provider.trouble(); !trouble.empty()) map["trouble"] = trouble;
  if (measured) map["measured"] = measured_of(core, provider);
  return map;
}

ValueList Reports::tenants_of(const Core& core) {
  constexpr std::size_t kShown = 100;  // STATS_REPLY is small
  ValueList list;
  for (const auto& [name, tenant] : core.tenants_.all()) {
    if (list.size() == kShown) break;
    list.emplace_back(ValueMap{{"tenant", name},
                               {"weight", tenant->quota.weight},
                               {"queued", tenant->queued},
                               {"running", tenant->running},
                               {"bytes", tenant->bytes},
                               {"seconds", tenant->seconds}});
  }
  return list;
}

ValueMap Reports::stats(const Core& core, const Now& now) {
  ValueMap by_status;
  for (std::uint8_t i = 0; i <= kMaxTaskStatus; ++i) {
    const auto status = static_cast<TaskStatus>(i);
    by_status[std::string(name(status))] = std::uint64_t{core.tasks_.count(status)};
  }
  ValueList brokers;
  for (const Link& link : core.links_) {
    const bool is_refused = link.refused != ErrorCode::kOk;
    const auto state = link.up ? "connected" : is_refused ? name(link.refused) : "down";
    brokers.emplace_back(ValueMap{{"endpoint", link.endpoint}, {"state", state}});
  }
  ValueMap map = {{"epoch", core.epoch_},
                  {"uptime_ms", to_ms(now.mono - core.started_)},
                  {"draining", core.is_draining()},
                  {"store", core.store_.name},
                  {"store_state", name(core.store_.state)},
                  {"tasks", std::move(by_status)},
                  {"tenants", tenants_of(core)},
                  {"brokers", std::move(brokers)}};
  core.metrics_.write(map);
  return map;
}

}  // namespace genai::dispatcher
