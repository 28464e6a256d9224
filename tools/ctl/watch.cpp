// genai-ctl watch
#include <fmt/format.h>

#include <algorithm>

#include "protocol/process/escape.h"
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
    print(to_json(update));
  else
    fmt::print("{}  {:<11}  {:3.0f} %  {}  {}\n", update.id, name(update.status),
               update.fraction * 100, cell(update.node_id, 40), cell(update.text, 200));
}

void show(const TaskResult& r, const std::string& file, bool json) {
  if (json) {
    Json line = to_json(r);
    if (!file.empty()) line["file"] = file;
    return print(line);
  }
  fmt::print("{}  {:<11}  after {}  {}\n", r.id, name(r.status), duration_text(r.total_ms),
             r.status == Status::kCompleted ? process::escaped(file) : cell(r.error, 300));
}

/// Whether the task completed and its result, if asked for, is in its file.
bool take(Session& session, const TaskResult& result, const std::optional<ResultFolder>& folder) {
  const bool completed = result.status == Status::kCompleted;
  std::string file, trouble;
  if (completed && folder && result.result_gone) {
    trouble = result.id + ": its result was fetched or dropped before";
  } else if (completed && folder) {
    try {
      file = folder->write(result);
    } catch (const std::runtime_error& error) {
      trouble = session.leave(result, error.what());
    }
  }
  if (!trouble.empty()) complain(trouble);
  show(result, file, session.options.json);
  return completed && trouble.empty();
}

}  // namespace

int run_watch(Session& session) {
  const Options& options = session.options;
  std::optional<ResultFolder> folder;
  if (!options.out.empty()) {
    folder.emplace(options.out, options.suffix);
    for (const std::string& id : options.tasks) folder->check(id);
  }
  session.client.on_notice(complain);
  const auto known = session.client.watch(options.tasks, client::Watch::kProgress);
  bool good = complain_of_missing(options.tasks, known) == process::kExitOk;
  session.catch_signals();
  const auto deadline = session.results_deadline();
  while (const auto event = session.next(deadline)) {
    if (const auto* update = std::get_if<TaskUpdate>(&*event))
      show(*update, options.json);
    else
      good &= take(session, std::get<TaskResult>(*event), folder);
    std::fflush(stdout);
  }
  const std::size_t left = session.client.open_tasks();
  if (session.was_interrupted) {
    complain(fmt::format("interrupted; tasks that go on: {}", left));
    return kExitInterrupted;
  }
  if (left > 0)
    complain(
        fmt::format("not ended within {} s: tasks that go on: {}", options.timeout.count(), left));
  return good && left == 0 ? process::kExitOk : process::kExitFailure;
}

}  // namespace genai::ctl
