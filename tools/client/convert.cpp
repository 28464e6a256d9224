#include "tools/client/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "protocol/base/bundle.h"
#include "protocol/base/text.h"
#include "protocol/wire/checker.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/open_map.h"
#include "tools/values/param_value.h"

namespace genai::client {
namespace {

Status status_named(const std::string& text) {
  for (int i = 0; i <= kMaxTaskStatus; ++i)
    if (text == name(static_cast<Status>(i))) return static_cast<Status>(i);
  return Status::kUnscheduled;
}

std::uint32_t uint32(const ValueMap& map, std::string_view key) {
  return static_cast<std::uint32_t>(get_uint(map, key));
}

std::vector<std::string> texts(const ValueMap& map, std::string_view key) {
  std::vector<std::string> out;
  for (const Value& value : get_list(map, key))
    if (const auto* text = std::get_if<std::string>(&value.v)) out.push_back(*text);
  return out;
}

template <class Visit>
void each_map(const ValueMap& map, std::string_view key, Visit visit) {
  for (const Value& value : get_list(map, key))
    if (const auto* entry = std::get_if<ValueMap>(&value.v)) visit(*entry);
}

std::optional<double> number_in(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.v)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<std::uint64_t>(&value.v)) return static_cast<double>(*u);
  if (const auto* d = std::get_if<double>(&value.v)) return *d;
  return std::nullopt;
}

Stats::Histogram histogram_from(const ValueMap& map) {
  Stats::Histogram histogram{get_uint(map, "count"), get_double(map, "sum"), {}};
  for (const Value& bucket : get_list(map, "buckets")) {
    const auto* pair = std::get_if<ValueList>(&bucket.v);
    if (!pair || pair->size() < 2) continue;
    const auto bound = number_in((*pair)[0]), below = number_in((*pair)[1]);
    if (bound && below)
      histogram.buckets.emplace_back(*bound, static_cast<std::uint64_t>(std::max(*below, 0.0)));
  }
  return histogram;
}

std::map<std::string, double> numbers_in(const ValueMap& map) {
  std::map<std::string, double> numbers;
  for (const auto& [key, value] : map)
    if (const auto number = number_in(value)) numbers.emplace(key, *number);
  return numbers;
}

/// All that is a number, and all that has buckets.
void take_metrics(const ValueMap& map, Stats& stats) {
  for (const auto& [key, value] : map) {
    if (key == "epoch" || key == "uptime_ms") continue;
    if (const auto number = number_in(value)) stats.metrics.emplace(key, *number);
    const auto* nested = std::get_if<ValueMap>(&value.v);
    if (nested && nested->contains("buckets"))
      stats.histograms.emplace(key, histogram_from(*nested));
  }
}

// A smaller result is copied: it must not keep a frame of many results in memory.
constexpr std::size_t kSharedDataBytes = std::size_t{64} << 10;

Data data_from(const Blob& blob) {
  if (blob.size() < kSharedDataBytes) return Data(std::string(blob.view()));
  return Data(std::make_shared<const Blob>(blob), blob.view());
}

/// Without a list that fits it, the data is one file without a name.
std::vector<ResultFile> bundle_from(const ValueMap& info, const Data& data) {
  std::vector<ResultFile> bundle;
  const auto files = read_files(info, data.size());
  if (!files) return bundle;
  for (const BundleFile& file : *files)
    bundle.push_back({file.name, file.content_type, Data(data.owner(), slice(data, file)),
                      values::params_from(file.metadata)});
  return bundle;
}

// Gathers the keys of a spec that a request says. Zero and empty say nothing, and a default need
// not be said.
class SpecGatherer {
 public:
  void operator()(const char* key, const std::string& text) {
    if (!text.empty()) say(key, text);
  }
  template <class Number>
  void operator()(const char* key, Number number) {
    if (number != 0) say(key, number);
  }
  template <class T>
  void operator()(const char* key, const std::optional<T>& value) {
    if (value) say(key, *value);
  }
  void operator()(const char* key, const std::map<std::string, Param>& params) {
    if (!params.empty()) say(key, values::map_from(params));
  }

  ValueMap take() { return std::move(spec_); }

 private:
  void say(const char* key, Value value) {
    const ValueMap& defaults = wire::spec_defaults();
    const auto it = defaults.find(std::string_view(key));
    if (it == defaults.end() || it->second != value) spec_.emplace(key, std::move(value));
  }

  ValueMap spec_;
};

}  // namespace

Expected<msg::Submission> submission_from(TaskRequest request, const TaskId& id) {
  SpecGatherer gatherer;
  TaskRequest::fields(gatherer, request);
  TaskSpec spec;
  spec.raw = encode_map(gatherer.take());
  if (request.payload.size() > limits::kMaxPayloadBytes)
    return fail(ErrorCode::kTooLarge, "payload: larger than 16 MiB");
  msg::Submission submission{id, std::move(spec),
                             Blob(request.payload.owner(), request.payload.view())};
  if (submission.spec.raw.size() > limits::kMaxSpecBytes)
    return fail(ErrorCode::kTooLarge, "spec: larger than 64 KiB");
  // What the other side would refuse is refused here. No name: the fields stand for themselves.
  if (auto problem = wire::problem_in(submission, "", 2))
    return tl::unexpected<Error>(std::move(*problem));
  return submission;
}

std::optional<Failure> request_problem(const TaskRequest& request) {
  const auto id = TaskId::parse(request.id.empty() ? "unnamed" : request.id);
  if (!id) return bad_task_id(request.id);
  if (auto submission = submission_from(request, *id); !submission)
    return failure_from(submission.error());
  return std::nullopt;
}

Failure bad_task_id(const std::string& text) {
  return {Errc::kBadField, "'" + text + "': a task id is 1 to 64 of [A-Za-z0-9._:-]"};
}

Failure no_answer(const Config& config, bool heard) {
  // A server that does not take our key, or is not the one we expect, says nothing at all.
  const std::string_view hint = heard ? ""
                                : config.server_key.empty()
                                    ? ": does it run, and does it ask for a key?"
                                    : ": does it run, know our key, and own the server key?";
  return {Errc::kTimeout, fmt::format("no answer from {} within {} s{}", config.endpoint,
                                      static_cast<double>(config.timeout.count()) / 1000, hint)};
}

TaskResult result_from(const msg::Deliver::Entry& entry) {
  TaskResult result;
  result.id = entry.task_id.str();
  result.status = static_cast<Status>(entry.status);
  result.code = static_cast<Errc>(entry.code);
  result.error = get_string(entry.info, "error");
  result.data = data_from(entry.data);
  result.result_gone = get_bool(entry.info, "result_gone");
  result.result_dropped = get_bool(entry.info, "result_dropped");
  result.content_type = get_string(entry.info, "content_type");
  if (result.status == Status::kCompleted) result.bundle = bundle_from(entry.info, result.data);
  result.node_id = get_string(entry.info, "node_id");
  result.attempts = uint32(entry.info, "attempts");
  result.queued_ms = get_uint(entry.info, "queued_ms");
  result.run_ms = get_uint(entry.info, "run_ms");
  result.total_ms = get_uint(entry.info, "total_ms");
  return result;
}

ResultPart part_from(const msg::Fetched& part) {
  ResultPart result{
      result_from(msg::Deliver::Entry{part.task_id, part.status, part.code, part.info, part.data}),
      part.total,
      part.offset,
      {}};
  if (const auto files = read_files(part.info, part.total))
    for (const BundleFile& file : *files)
      result.files.push_back({file.name, file.content_type, file.begin, file.bytes,
                              values::params_from(file.metadata)});
  return result;
}

TaskUpdate update_from(const msg::Update::Entry& entry) {
  return {entry.task_id.str(), static_cast<Status>(entry.status), entry.node_id, entry.fraction,
          entry.text};
}

std::string notice_from(const LogEvent& event) {
  std::string text = event.text;
  for (const auto& [key, value] : event.fields)
    std::visit(
        [&](const auto& v) {
          if constexpr (fmt::is_formattable<decltype(v)>::value) text += fmt::format(": {}", v);
        },
        value.v);
  return text;
}

Verdict verdict_from(const msg::Verdict& verdict) {
  return {verdict.task_id.str(), static_cast<Errc>(verdict.code), verdict.detail, 0, {}};
}

Verdict verdict_from(const msg::Acceptance& acceptance) {
  Verdict verdict =
      verdict_from(msg::Verdict{acceptance.task_id, acceptance.code, acceptance.detail});
  verdict.retry_after_ms = acceptance.retry_after_ms;
  const msg::Estimate& e = acceptance.estimate;
  if (e != msg::Estimate{})
    verdict.estimate = {e.start_p50_ms, e.start_p95_ms, e.finish_p50_ms, e.finish_p95_ms};
  return verdict;
}

TaskInfo task_from(const ValueMap& map) {
  TaskInfo task;
  task.id = get_string(map, "task_id");
  task.status = status_named(get_string(map, "status"));
  task.label = get_string(map, "label");
  task.model = get_string(map, "model");
  task.node_id = get_string(map, "node_id");
  task.attempt = uint32(map, "attempt");
  task.faults = uint32(map, "faults");
  task.losses = uint32(map, "losses");
  task.drains = uint32(map, "drains");
  task.fraction = get_double(map, "fraction");
  task.text = get_string(map, "text");
  task.waiting = get_string(map, "waiting");
  task.tenant = get_string(map, "tenant");
  task.priority = uint32(map, "priority");
  if (map.contains("finish_p50_ms")) task.finish_p50_ms = get_uint(map, "finish_p50_ms");
  if (map.contains("finish_p95_ms")) task.finish_p95_ms = get_uint(map, "finish_p95_ms");
  each_map(map, "candidates", [&](const ValueMap& entry) {
    task.candidates.push_back({get_string(entry, "node_id"), get_string(entry, "state"),
                               get_uint(entry, "finish_ms"), get_uint(entry, "wait_ms"),
                               get_uint(entry, "load_ms"), get_uint(entry, "run_ms"),
                               get_double(entry, "cost")});
  });
  task.code = get_string(map, "code");
  task.error = get_string(map, "error");
  task.result = get_string(map, "result");
  task.late = get_string(map, "late");
  task.created_ms = get_uint(map, "created_ms");
  task.age_ms = get_uint(map, "age_ms");
  task.queued_ms = get_uint(map, "queued_ms");
  task.run_ms = get_uint(map, "run_ms");
  task.total_ms = get_uint(map, "total_ms");
  each_map(map, "log", [&](const ValueMap& entry) {
    task.log.push_back({get_uint(entry, "at_ms"), get_string(entry, "status"),
                        get_string(entry, "reason"), get_string(entry, "node_id"),
                        uint32(entry, "attempt")});
  });
  return task;
}

NodeInfo node_from(const ValueMap& map) {
  NodeInfo node;
  node.node_id = get_string(map, "node_id");
  node.state = get_string(map, "state");
  node.slots = uint32(map, "slots");
  node.in_flight = get_uint(map, "in_flight");
  node.models = texts(map, "models");
  node.loaded_models = texts(map, "loaded_models");
  node.gpu_type = get_string(map, "gpu_type");
  node.ncpu = get_uint(map, "ncpu");
  node.ram_mib = get_uint(map, "ram_mib");
  node.vram_mib = get_uint(map, "vram_mib");
  node.assigned_total = get_uint(map, "assigned_total");
  node.completed_total = get_uint(map, "completed_total");
  node.failed_total = get_uint(map, "failed_total");
  node.lost_total = get_uint(map, "lost_total");
  node.drained = get_bool(map, "drained");
  node.since_ms = get_uint(map, "since_ms");
  node.min_cost = get_double(map, "min_cost");
  node.load_ms = get_uint(map, "load_ms");
  node.probation_ms = get_uint(map, "probation_ms");
  node.trouble = get_string(map, "trouble");
  each_map(map, "measured", [&](const ValueMap& row) {
    node.measured.push_back({get_string(row, "model"), uint32(row, "size"), get_double(row, "runs"),
                             get_uint(row, "run_mean_ms"), get_uint(row, "run_p50_ms"),
                             get_uint(row, "run_p95_ms"), get_uint(row, "load_ms"),
                             get_double(row, "success_ratio"), get_uint(row, "lost")});
  });
  return node;
}

Stats stats_from(const ValueMap& map) {
  Stats stats;
  stats.epoch = get_uint(map, "epoch");
  stats.uptime_ms = get_uint(map, "uptime_ms");
  stats.draining = get_bool(map, "draining");
  stats.store = get_string(map, "store");
  stats.store_state = get_string(map, "store_state", "ok");
  take_metrics(map, stats);
  stats.commits_total = get_uint(map, "commits_total");
  stats.committed_tasks_total = get_uint(map, "committed_tasks_total");
  stats.commit_us = get_uint(map, "commit_us");
  const ValueMap& tasks = get_map(map, "tasks");
  for (std::size_t i = 0; i < stats.tasks.size(); ++i)
    stats.tasks[i] = get_uint(tasks, name(static_cast<Status>(i)));
  stats.accepted_total = get_uint(map, "accepted_total");
  stats.delivered_total = get_uint(map, "delivered_total");
  stats.requeued_total = get_uint(map, "requeued_total");
  stats.providers = get_uint(map, "providers");
  stats.queued_bytes = get_uint(map, "queued_bytes");
  stats.result_bytes = get_uint(map, "result_bytes");
  stats.dropped_results_total = get_uint(map, "dropped_results_total");
  stats.dropped_answers_total = get_uint(map, "dropped_answers_total");
  stats.calibration = get_double(map, "calibration");
  stats.calibrated_total = get_uint(map, "calibrated_total");
  each_map(map, "tenants", [&](const ValueMap& row) {
    stats.tenants.push_back({get_string(row, "tenant"), get_double(row, "weight", 1),
                             get_uint(row, "queued"), get_uint(row, "running"),
                             get_uint(row, "bytes"), get_double(row, "seconds")});
  });
  each_map(map, "brokers", [&](const ValueMap& broker) {
    stats.brokers.push_back({get_string(broker, "endpoint"), get_string(broker, "state"),
                             numbers_in(get_map(broker, "metrics"))});
  });
  return stats;
}

}  // namespace genai::client
