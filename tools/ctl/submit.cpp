// genai-ctl submit
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tools/ctl/json.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/prompts.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

using client::Millis;
using client::TaskResult;
using Clock = std::chrono::steady_clock;

constexpr Millis kLook{100};  // between two looks at signals and the screen

/// Under another name first: whoever sees the file sees all of it.
std::string write_result(const SubmitOptions& options, const TaskResult& result) {
  const std::filesystem::path folder(options.out);
  const auto path = folder / (result.id + options.suffix), draft = folder / ("." + result.id);
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << result.data;
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(draft, path, error);
  if (!file || error) throw std::runtime_error("cannot write " + path.string());
  return path;
}

/// With --json the lines on stdout tell it all.
Progress::Style style_of(const Options& options) {
  if (isatty(STDERR_FILENO)) return Progress::Style::kBars;
  return options.json ? Progress::Style::kQuiet : Progress::Style::kLines;
}

struct Waiting {
  Session& session;
  const std::unordered_map<std::string, std::size_t>& lines;
  const std::unordered_map<std::string, std::string>& labels;
  Progress& progress;
  std::size_t completed = 0;

  void take(const TaskResult& result);
  Json report(const TaskResult& result, const std::string& file) const;
  int until_all_ended();
};

Json Waiting::report(const TaskResult& r, const std::string& file) const {
  Json json{{"task_id", r.id},          {"line", lines.at(r.id)}, {"label", labels.at(r.id)},
            {"status", name(r.status)}, {"code", r.code},         {"error", r.error},
            {"node", r.node_id},        {"attempts", r.attempts}, {"queued_ms", r.queued_ms},
            {"run_ms", r.run_ms},       {"total_ms", r.total_ms}};
  if (!file.empty()) json["file"] = file;
  return json;
}

void Waiting::take(const TaskResult& result) {
  const SubmitOptions& options = session.options.submit;
  const bool done = result.status == client::Status::kCompleted && !result.result_gone;
  std::string file;
  if (done && !options.out.empty()) file = write_result(options, result);
  progress.on_result(result);
  if (result.result_gone)
    progress.say(result.id + ": completed, but its result was fetched or dropped before");
  completed += done;
  if (session.options.json)
    print(report(result, file));
  else if (done && options.out.empty() && lines.size() == 1)
    std::cout << result.data << std::flush;
  else if (!file.empty() && style_of(session.options) == Progress::Style::kLines)
    progress.say("  " + file);
}

int Waiting::until_all_ended() {
  const auto ends = session.options.timeout_given ? Clock::now() + session.options.timeout
                                                  : Clock::time_point::max();
  while (session.client.open_tasks() > 0 || completed < lines.size()) {
    const auto event = session.client.next(session.client.open_tasks() > 0 ? kLook : Millis(0));
    if (event) {
      if (const auto* result = std::get_if<TaskResult>(&*event))
        take(*result);
      else
        progress.on_update(std::get<client::TaskUpdate>(*event));
    } else if (session.client.open_tasks() == 0) {
      break;
    }
    progress.draw();
    if (session.interrupted()) {
      progress.say(fmt::format("genai-ctl: interrupted; {} tasks go on: see genai-ctl list",
                               session.client.open_tasks()));
      return kExitInterrupted;
    }
    if (Clock::now() > ends) {
      progress.say(fmt::format("genai-ctl: {} tasks have not ended within {} s and go on",
                               session.client.open_tasks(), session.options.timeout.count()));
      return process::kExitFailure;
    }
  }
  progress.draw(true);
  return completed == lines.size() ? process::kExitOk : process::kExitFailure;
}

}  // namespace

int run_submit(Session& session) {
  const Options& options = session.options;
  const std::vector<Prompt> prompts = read_prompts(options.submit);
  if (!options.submit.out.empty()) std::filesystem::create_directories(options.submit.out);

  std::vector<client::TaskRequest> requests;
  for (const Prompt& prompt : prompts) requests.push_back(prompt.request);
  const auto watch = options.submit.wait ? client::Watch::kProgress : client::Watch::kNone;
  session.client.on_notice(
      [](const std::string& text) { fmt::print(stderr, "genai-ctl: {}\n", text); });
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
      fmt::print(stderr, "genai-ctl: line {}: refused: {}: {}\n", prompts[i].line, verdicts[i].code,
                 verdicts[i].detail);
    }
    if (options.submit.wait) continue;
    if (options.json)
      print(to_json(verdicts[i]));
    else if (verdicts[i].ok())
      std::cout << verdicts[i].id << '\n';
  }
  if (!options.submit.wait) return refused ? process::kExitFailure : process::kExitOk;

  Progress progress(labels, style_of(options));
  session.client.on_notice([&](const std::string& text) { progress.say("genai-ctl: " + text); });
  session.catch_signals();
  Waiting waiting{session, lines, labels, progress};
  const int code = waiting.until_all_ended();
  session.client.on_notice({});
  return code == process::kExitOk && refused ? process::kExitFailure : code;
}

}  // namespace genai::ctl
