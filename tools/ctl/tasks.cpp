// genai-ctl status, cancel, reprioritise, list
#include "tools/ctl/tasks.h"

#include <fmt/format.h>

#include <iostream>

#include "tools/ctl/format.h"
#include "tools/ctl/input.h"
#include "tools/ctl/json.h"
#include "tools/ctl/pages.h"
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
  if (t.status == Status::kCompleted) return "by " + t.node_id + result_remark(t);
  return t.code + ": " + t.error;
}

std::optional<Status> status_named(const std::string& text) {
  if (text.empty()) return std::nullopt;
  for (int i = 0; i <= 5; ++i)
    if (text == name(static_cast<Status>(i))) return static_cast<Status>(i);
  throw InputError("--status " + text +
                   ": expected Unscheduled, Scheduled, Sent, Aborted, Completed or Failed");
}

/// A line for each: what was `done`, or why not.
int tell_verdicts(const Session& session, const std::vector<client::Verdict>& verdicts,
                  const std::string& done) {
  int code = runtime::kExitOk;
  for (const client::Verdict& verdict : verdicts) {
    if (!verdict.ok()) code = runtime::kExitFailure;
    if (session.options.json)
      print_json(verdict);
    else if (verdict.ok())
      fmt::print("{}  {}\n", verdict.id, done);
    else
      complain(fmt::format("{}: {}: {}", verdict.id, name(verdict.code), verdict.detail));
  }
  return code;
}

}  // namespace

std::string result_remark(const TaskInfo& t) {
  if (t.result == "waiting") return ", its result waits";
  if (t.result == "fetched") return ", its result was fetched";
  if (t.result == "dropped") return ", its result was DROPPED: nobody fetched it in time";
  return t.result.empty() ? "" : ", its result: " + t.result;
}

void print_task(const TaskInfo& t) {
  fmt::print("{}  {}  {}\n", cell(t.id, 64), name(t.status), cell(t.label, 80));
  fmt::print("  {}\n", cell(remark(t), 500));
  if (!t.late.empty()) fmt::print("  late: {}\n", cell(t.late, 300));
  if (t.result == "waiting") fmt::print("  fetch it: {}\n", cell(fetch_command({t.id}), 120));
  fmt::print("  age {}, attempts {}, errors {}, losses {}, drains {}\n", duration_text(t.age_ms),
             t.attempt, t.faults, t.losses, t.drains);
  for (const auto& entry : t.log) {
    std::string where = cell(entry.node_id, 64);
    if (entry.attempt) where += fmt::format(" #{}", entry.attempt);
    fmt::print("  {}  {:<11}  {}{}\n", iso_time(entry.at_ms), cell(entry.status, 20),
               where.empty() ? "" : where + ": ", cell(entry.reason, 300));
  }
}

int run_status(Session& session) {
  const auto tasks = session.client.status(session.options.tasks);
  for (const TaskInfo& task : tasks) {
    if (session.options.json)
      print_json(task);
    else
      print_task(task);
  }
  return complain_of_missing(session.options.tasks, tasks);
}

int run_cancel(Session& session) {
  return tell_verdicts(session, session.client.cancel(session.options.tasks), "cancelled");
}

int run_reprioritise(Session& session) {
  const Options& options = session.options;
  return tell_verdicts(session, session.client.reprioritise(options.tasks, options.priority),
                       fmt::format("priority {}", options.priority));
}

int run_list(Session& session) {
  show_pages(session, status_named(session.options.status), [&](const auto& tasks) {
    std::vector<std::vector<std::string>> rows{{"TASK", "STATUS", "AGE", "LABEL", ""}};
    for (const TaskInfo& t : tasks) {
      if (session.options.json)
        print_json(t);
      else
        rows.push_back({cell(t.id, 64), name(t.status), duration_text(t.age_ms), cell(t.label, 40),
                        cell(remark(t), 120)});
    }
    if (!session.options.json)
      for (const std::string& line : table_lines(rows)) std::cout << line << '\n';
  });
  return runtime::kExitOk;
}

}  // namespace genai::ctl
