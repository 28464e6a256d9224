// genai-ctl submit
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "protocol/process/escape.h"
#include "tools/ctl/explain.h"
#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/prompts.h"
#include "tools/ctl/results.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

using client::TaskResult;

/// With --json the lines on stdout tell it all.
Progress::Style style_of(const Options& options) {
  if (isatty(STDERR_FILENO)) return Progress::Style::kBars;
  return options.json ? Progress::Style::kQuiet : Progress::Style::kLines;
}

struct Waiting {
  Session& session;
  const std::unordered_map<std::string, std::size_t>& lines;
  const std::unordered_map<std::string, std::string>& labels;
  const std::optional<ResultFolder>& folder;
  Progress& progress;
  std::size_t good = 0;

  void take(const TaskResult& result);
  std::string keep(const TaskResult& result) const;
  void report(const TaskResult& result, const std::string& file) const;
  int until_all_ended();
};

void Waiting::report(const TaskResult& result, const std::string& file) const {
  Json json{{"task_id", result.id}, {"line", lines.at(result.id)}, {"label", labels.at(result.id)}};
  json.update(to_json(result));
  if (!file.empty()) json["file"] = file;
  print(json);
}

/// Puts the data where it was asked for; the file's name, if it is one.
std::string Waiting::keep(const TaskResult& result) const {
  if (folder) return folder->write(result);
  if (!session.options.json && lines.size() == 1 && !(std::cout << result.data << std::flush))
    throw std::runtime_error("cannot write to stdout");
  return {};
}

/// A result that cannot be written is told of and does not end the wait for the others.
void Waiting::take(const TaskResult& result) {
  bool done = result.status == client::Status::kCompleted;
  std::string file, trouble;
  progress.on_result(result);
  if (done && result.result_gone) {
    trouble = result.id + ": its result was fetched or dropped before";
  } else if (done) {
    try {
      file = keep(result);
    } catch (const std::runtime_error& error) {
      trouble = session.leave(result, error.what());
    }
  }
  if (!trouble.empty()) progress.say("genai-ctl: " + process::escaped(trouble));
  done = done && trouble.empty();
  good += done;
  if (session.options.json)
    report(result, file);
  else if (!file.empty() && style_of(session.options) == Progress::Style::kLines)
    progress.say("  " + process::escaped(file));
}

int Waiting::until_all_ended() {
  const auto deadline = session.results_deadline();
  while (const auto event = session.next(deadline, [&] { progress.draw(); })) {
    if (const auto* result = std::get_if<TaskResult>(&*event))
      take(*result);
    else
      progress.on_update(std::get<client::TaskUpdate>(*event));
  }
  progress.draw(true);
  const std::size_t left = session.client.open_tasks();
  if (session.was_interrupted) {
    progress.say(fmt::format("genai-ctl: interrupted; {} tasks go on: see genai-ctl list", left));
    return kExitInterrupted;
  }
  if (left > 0)
    progress.say(fmt::format("genai-ctl: {} tasks have not ended within {} s and go on", left,
                             session.options.timeout.count()));
  return good == lines.size() ? process::kExitOk : process::kExitFailure;
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
    if (verdict.ok() && !verdict.detail.empty()) ++reasons[verdict.detail];
    if (!verdict.estimate) continue;
    p50 = std::max(p50, verdict.estimate->finish_p50_ms);
    p95 = std::max(p95, verdict.estimate->finish_p95_ms);
  }
  for (const auto& [reason, count] : reasons)
    complain(
        fmt::format("{} task{} can run nowhere now: {}", count, count == 1 ? "" : "s", reason));
  if (p95 != 0 && isatty(STDERR_FILENO)) complain(expectation(p50, p95));
}

}  // namespace

int run_submit(Session& session) {
  const Options& options = session.options;
  const std::vector<Prompt> prompts = read_prompts(options.submit);
  std::optional<ResultFolder> folder;
  if (!options.out.empty()) folder.emplace(options.out, options.suffix);
  if (folder)
    for (const Prompt& prompt : prompts)
      if (!prompt.request.id.empty()) folder->check(prompt.request.id);

  std::vector<client::TaskRequest> requests;
  for (const Prompt& prompt : prompts) requests.push_back(prompt.request);
  const auto watch = options.submit.wait ? client::Watch::kProgress : client::Watch::kNone;
  session.client.on_notice(complain);
  Session::explain_interrupt();
  const auto verdicts = session.client.submit(requests, watch);

  bool refused = false;
  std::unordered_map<std::string, std::size_t> lines;
  std::unordered_map<std::string, std::string> labels;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].ok()) {
      lines[verdicts[i].id] = prompts[i].line;
      labels[verdicts[i].id] = prompts[i].request.label;
    } else {
      refused = true;
      complain(fmt::format("line {}: refused: {}: {}{}", prompts[i].line, verdicts[i].code,
                           verdicts[i].detail, retry_text(verdicts[i])));
    }
    if (options.submit.wait) continue;
    if (options.json)
      print(to_json(verdicts[i]));
    else if (verdicts[i].ok())
      std::cout << verdicts[i].id << '\n';
  }
  if (!options.json) tell_expectations(verdicts);
  if (!options.submit.wait || lines.empty())
    return refused ? process::kExitFailure : process::kExitOk;

  Progress progress(labels, style_of(options));
  session.client.on_notice(
      [&](const std::string& text) { progress.say("genai-ctl: " + process::escaped(text)); });
  session.catch_signals();
  Waiting waiting{session, lines, labels, folder, progress};
  const int code = waiting.until_all_ended();
  session.client.on_notice({});
  return code == process::kExitOk && refused ? process::kExitFailure : code;
}

}  // namespace genai::ctl
