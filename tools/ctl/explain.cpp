// genai-ctl explain
#include "tools/ctl/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/session.h"
#include "tools/ctl/tasks.h"

namespace genai::ctl {
namespace {

using client::Status;
using client::TaskInfo;

void add_candidates(std::vector<std::string>& lines, const TaskInfo& task) {
  if (task.candidates.empty()) return;
  std::vector<std::vector<std::string>> rows{
      {"NODE", "DONE IN", "WAIT", "LOADING", "RUN", "COST", "NOW"}};
  for (const TaskInfo::Candidate& c : task.candidates)
    rows.push_back({cell(c.node_id, 32), duration_text(c.finish_ms), duration_text(c.wait_ms),
                    duration_text(c.load_ms), duration_text(c.run_ms), fmt::format("{:g}", c.cost),
                    c.obstacle.empty() ? "could take it" : cell(c.obstacle, 60)});
  lines.push_back("  nodes that fit, the best first:");
  for (const std::string& line : table_lines(rows)) lines.push_back("    " + line);
}

void add_history(std::vector<std::string>& lines, const TaskInfo& task) {
  for (const auto& entry : task.log) {
    if (entry.node_id.empty()) continue;
    lines.push_back(fmt::format("  {}  {:<11}  {} #{}: {}", iso_time(entry.at_ms),
                                cell(entry.status, 20), cell(entry.node_id, 64), entry.attempt,
                                cell(entry.reason, 300)));
  }
}

std::string situation(const TaskInfo& task) {
  switch (task.status) {
    case Status::kUnscheduled:
      return task.waiting.starts_with("waits ") ? task.waiting : "waits: " + task.waiting;
    case Status::kScheduled:
      return "was given to " + task.node_id + ", which has not answered yet";
    case Status::kSent:
      return "is at " + task.node_id;
    case Status::kCompleted:
      return "was completed by " + task.node_id + result_remark(task);
    default:
      return fmt::format("is {}: {}: {}", name(task.status), task.code, task.error);
  }
}

}  // namespace

std::string expectation(std::uint64_t p50_ms, std::uint64_t p95_ms) {
  return fmt::format("expected in {}, within {} with 95 %", duration_text(p50_ms),
                     duration_text(p95_ms));
}

std::string late_warning(const std::vector<client::Verdict>& verdicts) {
  const auto late = [](const client::Verdict& verdict) { return verdict.is_late(); };
  const auto first = std::ranges::find_if(verdicts, late);
  if (first == verdicts.end()) return {};
  const bool one = std::ranges::count_if(verdicts, late) == 1;
  return fmt::format("{} {} not expected to end in time; {}{}",
                     tasks_text(static_cast<std::size_t>(std::ranges::count_if(verdicts, late))),
                     one ? "is" : "are",
                     one ? "" : "the first: ", first->detail.substr(first->detail.find(' ') + 1));
}

std::vector<std::string> explanation(const TaskInfo& task) {
  std::vector<std::string> lines{cell(fmt::format("{} {}", task.id, situation(task)), 500)};
  lines.push_back(fmt::format("  age {}, priority {}, tenant {}", duration_text(task.age_ms),
                              task.priority, task.tenant.empty() ? "-" : cell(task.tenant, 64)));
  if (task.finish_p50_ms && task.finish_p95_ms)
    lines.push_back("  " + expectation(*task.finish_p50_ms, *task.finish_p95_ms));
  if (!task.late.empty()) lines.push_back("  late: " + cell(task.late, 300));
  add_candidates(lines, task);
  add_history(lines, task);
  return lines;
}

int run_explain(Session& session) {
  const auto tasks = session.client.status(session.options.tasks);
  for (const TaskInfo& task : tasks) {
    if (session.options.json) {
      print_json(task);
      continue;
    }
    for (const std::string& line : explanation(task)) fmt::print("{}\n", line);
  }
  return complain_of_missing(session.options.tasks, tasks);
}

}  // namespace genai::ctl
