// genai-ctl failed list, show, replay, purge
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/ctl/explain.h"
#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/pages.h"
#include "tools/ctl/session.h"
#include "tools/ctl/tasks.h"

namespace genai::ctl {
namespace {

using client::Status;
using client::TaskInfo;
using client::Verdict;

/// The tasks that were named, or with --all every one that is Failed now.
std::vector<std::string> chosen(Session& session) {
  if (!session.options.all) return session.options.tasks;
  std::vector<std::string> ids;
  for (const TaskInfo& task : session.client.list(Status::kFailed)) ids.push_back(task.id);
  return ids;
}

void refuse(const std::string& id, const Verdict& verdict) {
  complain(fmt::format("{}: {}: {}", id, name(verdict.code), verdict.detail));
}

}  // namespace

int run_failed_list(Session& session) {
  show_pages(session, Status::kFailed, [&](const auto& tasks) {
    std::vector<std::vector<std::string>> rows{{"TASK", "STATUS", "AGE", "LABEL", "CODE", "ERROR"}};
    for (const TaskInfo& t : tasks) {
      if (session.options.json)
        print_json(t);
      else
        rows.push_back({cell(t.id, 64), name(t.status), duration_text(t.age_ms), cell(t.label, 40),
                        cell(t.code, 40), cell(t.error, 120)});
    }
    if (!session.options.json)
      for (const std::string& line : table_lines(rows)) std::cout << line << '\n';
  });
  return runtime::kExitOk;
}

int run_failed_show(Session& session) {
  const auto tasks = session.client.status(session.options.tasks);
  int code = complain_of_missing(session.options.tasks, tasks);
  for (const TaskInfo& task : tasks) {
    if (task.status != Status::kFailed) {
      complain(
          fmt::format("{}: is {}, not Failed: see genai-ctl status", task.id, name(task.status)));
      code = runtime::kExitFailure;
    } else if (session.options.json) {
      print_json(task);
    } else {
      print_task(task);
    }
  }
  return code;
}

int run_failed_replay(Session& session) {
  std::vector<client::Replay> entries;
  for (std::string& id : chosen(session)) entries.push_back({std::move(id), ""});
  const auto verdicts = session.client.replay(entries);
  int code = runtime::kExitOk;
  if (const std::string warning = late_warning(verdicts); !warning.empty() && !session.options.json)
    complain(warning);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    const std::string& old = entries.at(i).of;
    if (!verdict.ok()) code = runtime::kExitFailure;
    if (session.options.json) {
      Json json{{"task_id", old}, {"code", name(verdict.code)}};
      if (verdict.ok()) json["new_task_id"] = verdict.id;
      if (!verdict.detail.empty()) json["detail"] = verdict.detail;
      if (verdict.is_late()) json["late"] = true;
      print(json);
    } else if (verdict.ok()) {
      fmt::print("{} -> {}\n", old, verdict.id);
    } else {
      refuse(old, verdict);
    }
  }
  return code;
}

int run_failed_purge(Session& session) {
  int code = runtime::kExitOk;
  for (const Verdict& verdict : session.client.purge(chosen(session))) {
    if (!verdict.ok()) code = runtime::kExitFailure;
    if (session.options.json)
      print_json(verdict);
    else if (verdict.ok())
      fmt::print("{}  purged\n", verdict.id);
    else
      refuse(verdict.id, verdict);
  }
  return code;
}

}  // namespace genai::ctl
