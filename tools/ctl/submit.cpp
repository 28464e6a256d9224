// genai-ctl submit
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "protocol/runtime/escape.h"
#include "tools/ctl/explain.h"
#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/prompts.h"
#include "tools/ctl/results.h"
#include "tools/ctl/session.h"
#include "tools/ctl/terminal.h"

namespace genai::ctl {
namespace {

using client::TaskResult;

/// With --json the lines on stdout tell it all.
Progress::Style style_of(const Options& options) {
  if (can_redraw(STDERR_FILENO)) return Progress::Style::kBars;
  return options.json ? Progress::Style::kQuiet : Progress::Style::kLines;
}

/// What is known of a task that was accepted.
struct Submitted {
  std::size_t line;
  std::string late;  // the warning, if there is one
};

struct Waiting {
  Session& session;
  const std::vector<std::string>& ids;  // in the order of the prompts
  const std::unordered_map<std::string, Submitted>& submitted;
  const std::unordered_map<std::string, std::string>& labels;
  const std::optional<ResultFolder>& folder;
  const bool single;
  Progress& progress;
  std::size_t good = 0;
  std::unordered_set<std::string> ended = {};
  std::vector<std::string> left = {};  // nobody has said where to put these results

  void take(const TaskResult& result);
  Written keep(const TaskResult& result);
  void report(const TaskResult& result, const Written& written, bool stays) const;
  void tell_the_rest();
  int until_all_ended();
};

void Waiting::report(const TaskResult& result, const Written& written, bool stays) const {
  const Submitted& task = submitted.at(result.id);
  Json json{{"task_id", result.id}, {"line", task.line}, {"label", labels.at(result.id)}};
  json.update(to_json(result, written.files));
  if (!task.late.empty()) json["late"] = task.late;
  if (stays) json["result"] = "waiting";
  if (!written.path.empty()) json["file"] = written.path;
  print(json);
}

/// Puts the data where it was asked for, and says where if that is the folder. What is put nowhere
/// stays with the dispatcher: so do several files, which one after the other on stdout would be
/// none.
Written Waiting::keep(const TaskResult& result) {
  if (folder) return folder->write(result);
  const bool is_one_file = result.bundle.size() <= 1;
  if (!session.options.json && single && is_one_file && write_to_stdout(result)) return {};
  if (!session.options.json && single && !is_one_file)
    progress.say(
        fmt::format("genai-ctl: the result has {} files, and stdout is one", result.bundle.size()));
  session.client.leave(result.id);
  left.push_back(result.id);
  return {};
}

/// A result that cannot be written is told of and does not end the wait for the others.
void Waiting::take(const TaskResult& result) {
  bool done = result.status == client::Status::kCompleted;
  bool stays = false;
  Written written;
  std::string trouble;
  ended.insert(result.id);
  progress.on_result(result);
  if (done && result.result_gone) {
    trouble = result.id + ": " + gone_text(result);
  } else if (done) {
    try {
      written = keep(result);
      stays = !left.empty() && left.back() == result.id;
    } catch (const std::runtime_error& error) {
      trouble = session.leave(result, error.what());
      stays = true;
    }
  }
  if (!trouble.empty()) progress.say("genai-ctl: " + runtime::escaped(trouble));
  done = done && trouble.empty();
  good += done;
  if (session.options.json)
    report(result, written, stays);
  else if (!written.path.empty() && style_of(session.options) == Progress::Style::kLines)
    progress.say("  " + runtime::escaped(text_of(written)));
}

/// What is not here when the wait is over, and how to get it.
void Waiting::tell_the_rest() {
  std::vector<std::string> open;
  for (const std::string& id : ids)
    if (!ended.contains(id)) open.push_back(id);
  if (!open.empty()) progress.say("genai-ctl: " + session.farewell(open));
  if (left.empty()) return;
  const bool one = left.size() == 1;
  progress.say(
      fmt::format("genai-ctl: {} result{} not put into a file and stay{} with the dispatcher: {}",
                  left.size(), one ? " was" : "s were", one ? "s" : "", fetch_command(left)));
}

int Waiting::until_all_ended() {
  const auto deadline = session.results_deadline();
  while (const auto event = session.next(deadline, [&] { progress.draw(); })) {
    if (const auto* result = std::get_if<TaskResult>(&*event))
      take(*result);
    else
      progress.on_update(std::get<client::TaskUpdate>(*event));
  }
  session.client.acknowledge();  // the last one too, when the wait was cut short
  progress.draw(true);
  tell_the_rest();
  if (session.was_interrupted) return kExitInterrupted;
  return good == ids.size() ? runtime::kExitOk : runtime::kExitFailure;
}

std::string retry_text(const client::Verdict& verdict) {
  if (verdict.retry_after_ms == 0) return {};
  return fmt::format("; try again in {}", duration_text(verdict.retry_after_ms));
}

/// What only a person reads: when to expect the last of them, and what cannot run now.
void tell_expectations(const std::vector<client::Verdict>& verdicts) {
  std::map<std::string, std::size_t> reasons;
  std::uint64_t p50 = 0, p95 = 0;
  for (const client::Verdict& verdict : verdicts) {
    if (verdict.ok() && !verdict.is_late() && !verdict.detail.empty()) ++reasons[verdict.detail];
    if (!verdict.estimate) continue;
    p50 = std::max(p50, verdict.estimate->finish_p50_ms);
    p95 = std::max(p95, verdict.estimate->finish_p95_ms);
  }
  for (const auto& [reason, count] : reasons)
    complain(fmt::format("{} can run nowhere now: {}", tasks_text(count), reason));
  if (const std::string warning = late_warning(verdicts); !warning.empty()) complain(warning);
  if (p95 != 0 && isatty(STDERR_FILENO)) complain(expectation(p50, p95));
}

std::vector<client::Verdict> submit(Session& session, std::vector<client::TaskRequest> requests,
                                    client::Watch watch) {
  try {
    return session.client.submit(std::move(requests), watch);
  } catch (const client::ClientError& error) {
    if (error.code() == client::Errc::kTimeout)
      complain("whether the dispatcher has accepted them is not known: see genai-ctl list");
    throw;
  }
}

}  // namespace

int run_submit(Session& session) {
  const Options& options = session.options;
  PromptList list = read_prompts(options.submit);
  if (const std::string skipped = list.skipped(); !skipped.empty()) complain(skipped);
  std::vector<Prompt>& prompts = list.prompts;
  const bool single = prompts.size() == 1;
  std::optional<ResultFolder> folder;
  if (!options.out.empty()) folder.emplace(options.out, options.suffix, options.overwrite);
  if (folder)
    for (const Prompt& prompt : prompts)
      if (!prompt.request.id.empty()) folder->check(prompt.request.id);

  std::vector<client::TaskRequest> requests;
  std::vector<std::string> names;
  for (Prompt& prompt : prompts) {
    names.push_back(prompt.request.label);
    requests.push_back(std::move(prompt.request));
  }
  const auto watch = options.submit.wait ? client::Watch::kProgress : client::Watch::kNone;
  session.client.on_notice(complain);
  Session::explain_interrupt();
  const auto verdicts = submit(session, std::move(requests), watch);

  // Who waits without a place for many results gets their ids: the results stay where they are.
  const bool print_ids = !options.submit.wait || (!folder && !single && !options.json);
  bool refused = false;
  std::vector<std::string> ids;
  std::unordered_map<std::string, Submitted> submitted;
  std::unordered_map<std::string, std::string> labels;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const client::Verdict& verdict = verdicts[i];
    if (verdict.ok()) {
      ids.push_back(verdict.id);
      submitted[verdict.id] = {prompts[i].line, verdict.is_late() ? verdict.detail : ""};
      labels[verdict.id] = names[i];
    } else {
      refused = true;
      const bool of_many = !options.submit.lines.empty() || !options.submit.jsonl.empty();
      complain(fmt::format("{}refused: {}: {}{}",
                           of_many ? fmt::format("line {}: ", prompts[i].line) : "",
                           name(verdict.code), verdict.detail, retry_text(verdict)));
    }
    if (options.json && !options.submit.wait)
      print_json(verdict);
    else if (print_ids && verdict.ok())
      std::cout << verdict.id << '\n';
  }
  std::cout.flush();
  if (!options.json) tell_expectations(verdicts);
  if (!options.submit.wait || ids.empty())
    return refused ? runtime::kExitFailure : runtime::kExitOk;

  Progress progress(labels, style_of(options));
  session.client.on_notice(
      [&](const std::string& text) { progress.say("genai-ctl: " + runtime::escaped(text)); });
  session.catch_signals();
  Waiting waiting{session, ids, submitted, labels, folder, single, progress};
  const int code = waiting.until_all_ended();
  session.client.on_notice({});
  return code == runtime::kExitOk && refused ? runtime::kExitFailure : code;
}

}  // namespace genai::ctl
