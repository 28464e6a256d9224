// genai-ctl fetch, delete
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/runtime/escape.h"
#include "tools/ctl/format.h"
#include "tools/ctl/json.h"
#include "tools/ctl/results.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

using client::ResultPart;
using client::Status;
using client::TaskResult;

/// The whole result, in as many parts as it takes. Throws ClientError.
TaskResult fetch(client::Client& client, const std::string& id) {
  ResultPart part = client.fetch(id);
  TaskResult result = std::move(part.task);
  if (result.data.size() == part.total) return result;
  const std::vector<ResultPart::File> files = std::move(part.files);
  std::string whole(result.data.view());
  while (whole.size() < part.total) {
    part = client.fetch(id, whole.size());
    if (part.task.data.empty())
      throw client::ClientError(client::Errc::kDataLost, "the result was dropped meanwhile");
    whole += part.task.data.view();
  }
  result.data = std::move(whole);
  for (const ResultPart::File& file : files)
    result.bundle.push_back(
        {file.name, file.content_type,
         client::Data(result.data.owner(), result.data.view().substr(file.offset, file.bytes)),
         file.metadata});
  return result;
}

std::string why_not(const TaskResult& result) {
  if (!is_terminal(result.status)) return fmt::format("it is {}", name(result.status));
  if (result.status != Status::kCompleted) return cell(result.error, 300);
  return result.result_gone ? gone_text(result) : "";
}

void show(const TaskResult& result, const Written& written, bool json) {
  if (!json) {
    fmt::print("{}  {}\n", result.id, runtime::escaped(text_of(written)));
    return;
  }
  Json line = to_json(result, written.files);
  line["file"] = written.path;
  print(line);
}

}  // namespace

int run_fetch(Session& session) {
  const Options& options = session.options;
  std::optional<ResultFolder> folder;
  if (!options.out.empty()) {
    folder.emplace(options.out, options.suffix, options.overwrite);
    for (const std::string& id : options.tasks) folder->check(id);
  }
  int code = runtime::kExitOk;
  for (const std::string& id : options.tasks) {
    try {
      const TaskResult result = fetch(session.client, id);
      std::string trouble = why_not(result);
      if (trouble.empty() && !folder && result.bundle.size() > 1)
        trouble = fmt::format("it has {} files: give --out", result.bundle.size());
      if (!trouble.empty()) {
        complain(id + ": " + trouble);
        code = runtime::kExitFailure;
      } else if (folder) {
        show(result, folder->write(result), options.json);
      } else {
        write_to_stdout(result);
      }
    } catch (const std::runtime_error& error) {
      complain(id + ": " + error.what());
      code = runtime::kExitFailure;
    }
  }
  return code;
}

int run_delete(Session& session) {
  int code = runtime::kExitOk;
  for (const client::Verdict& verdict : session.client.forget(session.options.tasks)) {
    if (!verdict.ok()) code = runtime::kExitFailure;
    if (session.options.json)
      print_json(verdict);
    else if (verdict.ok())
      fmt::print("{}  deleted\n", verdict.id);
    else
      complain(fmt::format("{}: {}: {}", verdict.id, client::name(verdict.code), verdict.detail));
  }
  return code;
}

}  // namespace genai::ctl
