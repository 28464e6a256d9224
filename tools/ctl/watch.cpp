// genai-ctl watch
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "protocol/runtime/escape.h"
#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/results.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

using client::Status;
using client::TaskResult;
using client::TaskUpdate;

void show(const TaskUpdate& update, bool json) {
  if (is_terminal(update.status)) return;  // its result follows and says more
  if (json)
    print_json(update);
  else
    std::cout << fmt::format("{}  {:<11}  {:3.0f} %  {}  {}\n", update.id, name(update.status),
                             update.fraction * 100, cell(update.node_id, 40),
                             cell(update.text, 200));
}

std::string remark(const TaskResult& result, const Written& written) {
  if (result.status != Status::kCompleted) return cell(result.error, 300);
  if (result.result_gone) return gone_text(result);
  return runtime::escaped(text_of(written));
}

void show(const TaskResult& r, const Written& written, bool json) {
  if (json) {
    Json line = to_json(r, written.files);
    if (!written.path.empty()) line["file"] = written.path;
    return print(line);
  }
  std::cout << fmt::format("{}  {:<11}  after {}  {}\n", r.id, name(r.status),
                           duration_text(r.total_ms), remark(r, written));
}

/// Whether the task completed and its result, if asked for, is in its file.
bool take(Session& session, const TaskResult& result, const std::optional<ResultFolder>& folder) {
  const bool completed = result.status == Status::kCompleted;
  Written written;
  std::string trouble;
  if (completed && folder && result.result_gone) {
    trouble = result.id + ": " + gone_text(result);
  } else if (completed && folder) {
    try {
      written = folder->write(result);
    } catch (const std::runtime_error& error) {
      trouble = session.leave(result, error.what());
    }
  }
  if (!trouble.empty()) complain(trouble);
  show(result, written, session.options.json);
  return completed && trouble.empty();
}

}  // namespace

int run_watch(Session& session) {
  const Options& options = session.options;
  std::optional<ResultFolder> folder;
  if (!options.out.empty()) {
    folder.emplace(options.out, options.suffix, options.overwrite);
    for (const std::string& id : options.tasks) folder->check(id);
  }
  session.client.on_notice(complain);
  const auto known = session.client.watch(options.tasks, client::Watch::kProgress);
  bool good = complain_of_missing(options.tasks, known) == runtime::kExitOk;
  std::set<std::string> open;
  for (const auto& task : known) open.insert(task.id);
  session.catch_signals();
  const auto deadline = session.results_deadline();
  while (const auto event = session.next(deadline)) {
    if (const auto* update = std::get_if<TaskUpdate>(&*event)) {
      show(*update, options.json);
    } else {
      const auto& result = std::get<TaskResult>(*event);
      good &= take(session, result, folder);
      open.erase(result.id);
    }
    // Without a reader only the files are worth going on for.
    if (!std::cout.flush() && !folder) return runtime::kExitFailure;
  }
  session.client.acknowledge();  // the last one too, when the wait was cut short
  if (!open.empty()) complain(session.farewell({open.begin(), open.end()}));
  if (session.was_interrupted) return kExitInterrupted;
  return good && open.empty() ? runtime::kExitOk : runtime::kExitFailure;
}

}  // namespace genai::ctl
