#include "dispatcher/desk/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dispatcher/fleet/limits.h"
#include "dispatcher/tasks/lateness.h"
#include "dispatcher/tasks/result_info.h"
#include "protocol/base/text.h"
#include "protocol/wire/encoded_size.h"

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

/// `room`: bytes that metrics may still take.
ValueMap broker_map(const Link& link, std::size_t& room) {
  const bool is_refused = link.refused != ErrorCode::kOk;
  const auto state = link.up ? "connected" : is_refused ? name(link.refused) : "down";
  ValueMap map{{"endpoint", link.endpoint}, {"state", state}};
  const ValueMap& metrics = link.metrics.latest();
  const std::size_t bytes = wire::encoded_size(metrics);
  if (!link.up || metrics.empty() || bytes > room) return map;
  room -= bytes;
  map.emplace("metrics", metrics);
  return map;
}

}  // namespace

ValueMap Reports::task(const Task& task, const Progress* progress, bool with_log, const Now& now,
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
    map["fraction"] = progress ? progress->fraction : 0.0;
    if (progress && !progress->text.empty()) map["text"] = progress->text;
  }
  if (!task.spec.tenant().empty()) map["tenant"] = task.spec.tenant();
  map["priority"] = task.priority();
  if (task.status == TaskStatus::kUnscheduled) {
    map["waiting"] = explain(task, explanations, now);
    if (with_log && !task.recovering) map["candidates"] = candidates_of(task, now);
  }
  // To look at the fleet for each task would make a long list dear.
  if (with_log && !is_terminal(task.status)) add_outlook(map, task, now);
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
void Reports::add_outlook(ValueMap& map, const Task& task, const Now& now) {
  const msg::Estimate estimate = task.recovering ? msg::Estimate{} : placement_.estimate(task, now);
  if (estimate != msg::Estimate{}) {
    map["finish_p50_ms"] = estimate.finish_p50_ms;
    map["finish_p95_ms"] = estimate.finish_p95_ms;
  }
  if (std::string late = lateness(task, placement_.entry(task)->not_before, estimate, now);
      !late.empty())
    map["late"] = std::move(late);
}

ValueList Reports::candidates_of(const Task& task, const Now& now) {
  constexpr std::size_t kShown = 8;
  ValueList list;
  for (const Candidate& candidate : placement_.candidates(task, kShown, now)) {
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

ValueList Reports::measured_of(const Provider& provider) const {
  ValueList list;
  for (const ModelAccount& account : provider.record->measured.models)
    for (const auto& [size, run] : account.sizes) {
      const Expectation expected =
          placement_.measures().expect(provider.record->measured, account.model, size);
      list.emplace_back(
          ValueMap{{"model", placement_.measures().name(account.model)},
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

ValueMap Reports::node(const Provider& provider, bool measured, const Now& now) const {
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
  if (measured) map["measured"] = measured_of(provider);
  return map;
}

ValueList Reports::tenants() const {
  constexpr std::size_t kShown = 100;  // STATS_REPLY is small
  ValueList list;
  for (const auto& [name, tenant] : placement_.tenants().all()) {
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

ValueMap Reports::stats(const StoreReport& store, bool is_draining, const Now& now) const {
  ValueMap by_status;
  for (std::uint8_t i = 0; i <= kMaxTaskStatus; ++i) {
    const auto status = static_cast<TaskStatus>(i);
    by_status[std::string(name(status))] = std::uint64_t{tasks_.count(status)};
  }
  ValueList brokers;
  std::size_t room = kMaxBrokerMetricsBytes;
  for (const Link& link : fleet_.links()) brokers.emplace_back(broker_map(link, room));
  ValueMap map = {{"epoch", fleet_.epoch()},
                  {"uptime_ms", to_ms(now.mono - started_)},
                  {"draining", is_draining},
                  {"store", store.name},
                  {"store_state", name(store.state)},
                  {"tasks", std::move(by_status)},
                  {"tenants", tenants()},
                  {"brokers", std::move(brokers)}};
  metrics_.write(map);
  return map;
}

std::string Reports::explain(const Task& task, Explanations& explanations, const Now& now) {
  if (fleet_.is_superseded()) return kSupersededText;
  if (fleet_.is_refused_everywhere())
    return "no broker lets this dispatcher in: its key is not authorized";
  if (task.recovering)
    return "the dispatcher was restarted: waiting for " +
           task.attempt(task.current)->node_id.str() + " to report";
  const QueueEntry& entry = *placement_.entry(task);
  if (const Duration wait = entry.not_before - now.mono; wait > Duration{0}) {
    if (task.issued.empty()) return fmt::format("not to be started for another {} ms", to_ms(wait));
    return fmt::format("not to be tried again for another {} ms, after {} error{}", to_ms(wait),
                       task.faults, task.faults == 1 ? "" : "s");
  }
  if (!entry.tenant->may_run())
    return fmt::format("tenant '{}' has {} tasks running, its limit", entry.tenant->name,
                       entry.tenant->running);
  if (std::string reason = placement_.reason_to_wait(task, now); !reason.empty()) return reason;
  auto [it, missing] = explanations.try_emplace(entry.group);
  if (missing)
    it->second =
        placement_.providers().explain(entry.group->key.needs, entry.group->key.max_cost, now.mono);
  return it->second;
}

}  // namespace genai::dispatcher
