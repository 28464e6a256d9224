// genai-ctl status, watch, cancel, list
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/prompts.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

using client::Status;
using client::TaskInfo;

/// What a person wants to know beside the status.
std::string remark(const TaskInfo& t) {
  if (t.status == Status::kUnscheduled) return "waits: " + t.waiting;
  if (t.status == Status::kSent)
    return fmt::format("on {}, {:.0f} % {}", t.node_id, t.fraction * 100, t.text);
  if (t.status == Status::kScheduled) return "for " + t.node_id;
  if (t.status == Status::kCompleted) return "by " + t.node_id;
  return t.code + ": " + t.error;
}

void print_task(const TaskInfo& t) {
  fmt::print("{}  {}  {}\n", t.id, name(t.status), cell(t.label, 80));
  fmt::print("  {}\n", cell(remark(t), 500));
  fmt::print("  age {}, attempts {}, errors {}, losses {}, drains {}\n", duration_text(t.age_ms),
             t.attempt, t.faults, t.losses, t.drains);
  for (const auto& entry : t.log) {
    std::string where = cell(entry.node_id, 64);
    if (entry.attempt) where += fmt::format(" #{}", entry.attempt);
    fmt::print("  {}  {:<11}  {}{}\n", iso_time(entry.at_ms), cell(entry.status, 20),
               where.empty() ? "" : where + ": ", cell(entry.reason, 300));
  }
}

/// Says which of the ids asked for are missing.
int missing(const std::vector<std::string>& asked, const std::vector<TaskInfo>& found) {
  int code = process::kExitOk;
  for (const std::string& id : asked) {
    if (std::ranges::any_of(found, [&](const TaskInfo& t) { return t.id == id; })) continue;
    std::cerr << "genai-ctl: " << id << ": no such task\n";
    code = process::kExitFailure;
  }
  return code;
}

std::optional<Status> status_named(const std::string& text) {
  if (text.empty()) return std::nullopt;
  for (int i = 0; i <= 5; ++i)
    if (text == name(static_cast<Status>(i))) return static_cast<Status>(i);
  throw InputError("--status " + text +
                   ": expected Unscheduled, Scheduled, Sent, Aborted, Completed or Failed");
}

}  // namespace

int run_status(Session& session) {
  const auto tasks = session.client.status(session.options.tasks);
  for (const TaskInfo& task : tasks) {
    if (session.options.json)
      print(to_json(task));
    else
      print_task(task);
  }
  std::cout.flush();
  std::fflush(stdout);
  return missing(session.options.tasks, tasks);
}

int run_watch(Session& session) {
  const Options& options = session.options;
  const auto known = session.client.watch(options.tasks, client::Watch::kProgress);
  const int code = missing(options.tasks, known);
  bool all_completed = code == process::kExitOk;
  session.catch_signals();
  while (session.client.open_tasks() > 0) {
    const auto event = session.client.next(client::Millis(100));
    if (session.interrupted()) return kExitInterrupted;
    if (!event) continue;
    if (const auto* update = std::get_if<client::TaskUpdate>(&*event)) {
      if (options.json)
        print(to_json(*update));
      else
        fmt::print("{}  {:<11}  {:3.0f} %  {}  {}\n", update->id, name(update->status),
                   update->fraction * 100, cell(update->node_id, 40), cell(update->text, 200));
    } else {
      const auto& r = std::get<client::TaskResult>(*event);
      all_completed &= r.status == Status::kCompleted;
      if (options.json)
        print({{"task_id", r.id},
               {"status", name(r.status)},
               {"code", r.code},
               {"error", r.error},
               {"node_id", r.node_id},
               {"total_ms", r.total_ms}});
      else
        fmt::print("{}  {:<11}  after {}  {}\n", r.id, name(r.status), duration_text(r.total_ms),
                   cell(r.error, 300));
    }
    std::fflush(stdout);
  }
  return all_completed ? process::kExitOk : process::kExitFailure;
}

int run_cancel(Session& session) {
  int code = process::kExitOk;
  for (const auto& verdict : session.client.cancel(session.options.tasks)) {
    if (!verdict.ok()) code = process::kExitFailure;
    if (session.options.json)
      print(to_json(verdict));
    else if (verdict.ok())
      fmt::print("{}  cancelled\n", verdict.id);
    else
      fmt::print(stderr, "genai-ctl: {}: {}: {}\n", verdict.id, verdict.code,
                 cell(verdict.detail, 300));
  }
  return code;
}

int run_list(Session& session) {
  const Options& options = session.options;
  const auto tasks = session.client.list(status_named(options.status), options.limit);
  std::vector<std::vector<std::string>> rows{{"TASK", "STATUS", "AGE", "LABEL", ""}};
  for (const TaskInfo& t : tasks) {
    if (options.json)
      print(to_json(t));
    else
      rows.push_back(
          {t.id, name(t.status), duration_text(t.age_ms), cell(t.label, 40), cell(remark(t), 120)});
  }
  if (!options.json)
    for (const std::string& line : table_lines(rows)) fmt::print("{}\n", line);
  return process::kExitOk;
}

}  // namespace genai::ctl
