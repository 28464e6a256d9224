#include "tools/ctl/json.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

namespace genai::ctl {
namespace {

/// Whole numbers without a point.
Json number_json(double number) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (number >= 0 && number < kExact && number == std::floor(number))
    return static_cast<std::uint64_t>(number);
  return number;
}

Json histogram_json(const client::Stats::Histogram& histogram) {
  return {{"count", histogram.count}, {"sum", histogram.sum}, {"buckets", histogram.buckets}};
}

/// As in the list of a bundle: the metadata stands beside the name.
Json file_json(const client::ResultFile& file) {
  Json json = Json::object();
  if (!file.name.empty()) json["name"] = file.name;
  json["bytes"] = file.data.size();
  if (!file.content_type.empty()) json["content_type"] = file.content_type;
  for (const auto& [key, value] : file.metadata)
    std::visit([&, &key = key](const auto& v) { json.emplace(key, v); }, value);
  return json;
}

}  // namespace

// Keys are those of SPEC.md. Three had other names, which scripts know, and are printed under both:
// "attempts" of a task, "obstacle" of a candidate, "node" of a result.

Json to_json(const client::TaskInfo& t) {
  Json json{{"task_id", t.id},      {"status", name(t.status)},
            {"label", t.label},     {"model", t.model},
            {"attempt", t.attempt}, {"attempts", t.attempt},
            {"faults", t.faults},   {"losses", t.losses},
            {"drains", t.drains},   {"created_ms", t.created_ms},
            {"age_ms", t.age_ms}};
  if (!t.node_id.empty()) json["node_id"] = t.node_id;
  if (t.status == client::Status::kSent) {
    json["fraction"] = t.fraction;
    json["text"] = t.text;
  }
  if (!t.tenant.empty()) json["tenant"] = t.tenant;
  json["priority"] = t.priority;
  if (!t.waiting.empty()) json["waiting"] = t.waiting;
  if (t.finish_p50_ms) json["finish_p50_ms"] = *t.finish_p50_ms;
  if (t.finish_p95_ms) json["finish_p95_ms"] = *t.finish_p95_ms;
  if (!t.late.empty()) json["late"] = t.late;
  for (const auto& c : t.candidates)
    json["candidates"].push_back({{"node_id", c.node_id},
                                  {"state", c.obstacle},
                                  {"obstacle", c.obstacle},
                                  {"finish_ms", c.finish_ms},
                                  {"wait_ms", c.wait_ms},
                                  {"load_ms", c.load_ms},
                                  {"run_ms", c.run_ms},
                                  {"cost", c.cost}});
  if (is_terminal(t.status)) {
    json["code"] = t.code;
    if (!t.error.empty()) json["error"] = t.error;
    if (!t.result.empty()) json["result"] = t.result;
    json["queued_ms"] = t.queued_ms;
    json["run_ms"] = t.run_ms;
    json["total_ms"] = t.total_ms;
  }
  for (const auto& entry : t.log) {
    Json line{{"ts", iso_time(entry.at_ms)},
              {"at_ms", entry.at_ms},
              {"status", entry.status},
              {"reason", entry.reason}};
    if (!entry.node_id.empty()) line["node_id"] = entry.node_id;
    if (entry.attempt) line["attempt"] = entry.attempt;
    json["log"].push_back(std::move(line));
  }
  return json;
}

Json to_json(const client::TaskUpdate& u) {
  return {{"task_id", u.id},
          {"status", name(u.status)},
          {"node_id", u.node_id},
          {"fraction", u.fraction},
          {"text", u.text}};
}

Json to_json(const client::TaskResult& r, const std::vector<std::string>& paths) {
  Json json{{"task_id", r.id},        {"status", name(r.status)}, {"code", name(r.code)},
            {"error", r.error},       {"node_id", r.node_id},     {"node", r.node_id},
            {"attempts", r.attempts}, {"queued_ms", r.queued_ms}, {"run_ms", r.run_ms},
            {"total_ms", r.total_ms}};
  if (r.result_gone) json["result_gone"] = true;
  if (r.result_dropped) json["result_dropped"] = true;
  std::size_t number = 0;
  for (const client::ResultFile& file : r.files()) {
    Json line = file_json(file);
    if (number < paths.size()) line["file"] = paths[number];
    json["files"].push_back(std::move(line));
    ++number;
  }
  return json;
}

Json to_json(const client::NodeInfo& n) {
  Json json{{"node_id", n.node_id},
            {"state", n.state},
            {"slots", n.slots},
            {"in_flight", n.in_flight},
            {"models", n.models},
            {"loaded_models", n.loaded_models},
            {"gpu_type", n.gpu_type},
            {"ncpu", n.ncpu},
            {"ram_mib", n.ram_mib},
            {"vram_mib", n.vram_mib},
            {"assigned_total", n.assigned_total},
            {"completed_total", n.completed_total},
            {"failed_total", n.failed_total},
            {"lost_total", n.lost_total},
            {"drained", n.drained},
            {"since_ms", n.since_ms},
            {"min_cost", n.min_cost},
            {"load_ms", n.load_ms},
            {"probation_ms", n.probation_ms}};
  if (!n.trouble.empty()) json["trouble"] = n.trouble;
  for (const auto& m : n.measured)
    json["measured"].push_back({{"model", m.model},
                                {"size", m.size},
                                {"runs", m.runs},
                                {"run_mean_ms", m.run_mean_ms},
                                {"run_p50_ms", m.run_p50_ms},
                                {"run_p95_ms", m.run_p95_ms},
                                {"load_ms", m.load_ms},
                                {"success_ratio", m.success_ratio},
                                {"lost", m.lost}});
  return json;
}

Json to_json(const client::Stats& s) {
  Json tasks, brokers = Json::array(), tenants = Json::array();
  for (std::size_t i = 0; i < s.tasks.size(); ++i)
    tasks[name(static_cast<client::Status>(i))] = s.tasks[i];
  for (const auto& broker : s.brokers) {
    Json metrics = Json::object();
    for (const auto& [name, number] : broker.metrics) metrics[name] = number_json(number);
    brokers.push_back(
        {{"endpoint", broker.endpoint}, {"state", broker.state}, {"metrics", metrics}});
  }
  for (const auto& t : s.tenants)
    tenants.push_back({{"tenant", t.name},
                       {"weight", t.weight},
                       {"queued", t.queued},
                       {"running", t.running},
                       {"bytes", t.bytes},
                       {"seconds", t.seconds}});
  Json json{{"epoch", s.epoch},
            {"uptime_ms", s.uptime_ms},
            {"draining", s.draining},
            {"store", s.store},
            {"store_state", s.store_state},
            {"tasks", tasks},
            {"brokers", brokers},
            {"tenants", tenants}};
  for (const auto& [name, number] : s.metrics) json[name] = number_json(number);
  for (const auto& [name, histogram] : s.histograms) json[name] = histogram_json(histogram);
  return json;
}

Json to_json(const client::Verdict& v) {
  Json json{{"task_id", v.id}, {"code", name(v.code)}};
  if (!v.detail.empty()) json["detail"] = v.detail;
  if (v.is_late()) json["late"] = true;
  if (v.retry_after_ms) json["retry_after_ms"] = v.retry_after_ms;
  if (v.estimate)
    json["estimate"] = {{"start_p50_ms", v.estimate->start_p50_ms},
                        {"start_p95_ms", v.estimate->start_p95_ms},
                        {"finish_p50_ms", v.estimate->finish_p50_ms},
                        {"finish_p95_ms", v.estimate->finish_p95_ms}};
  return json;
}

void print(const Json& object) {
  // JSON lets DEL, C1 controls and direction overrides through: not to a terminal.
  static const bool ascii_only = isatty(STDOUT_FILENO) == 1;
  std::string line = object.dump(-1, ' ', ascii_only, Json::error_handler_t::replace);
  for (std::size_t at; ascii_only && (at = line.find('\x7f')) != std::string::npos;)
    line.replace(at, 1, "\\u007f");
  std::cout << line << std::endl;
}

void print_json(const client::TaskInfo& task) { print(to_json(task)); }
void print_json(const client::TaskUpdate& update) { print(to_json(update)); }
void print_json(const client::NodeInfo& node) { print(to_json(node)); }
void print_json(const client::Verdict& verdict) { print(to_json(verdict)); }

std::string iso_time(std::uint64_t unix_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

}  // namespace genai::ctl
