#include "tools/node/exec_handler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/base/wakeup.h"
#include "tools/node/exec_runner.h"
#include "tools/node/fitness.h"

namespace genai::node {
namespace {

constexpr int kNotExecutable = 126, kNotFound = 127;  // as shells say it, and env, nice, timeout

/// Readable once the task is aborted.
class AbortSignal {
 public:
  explicit AbortSignal(TaskContext& context) : context_(context) {
    context_.on_abort([this] { wakeup_.wake(); });
  }
  ~AbortSignal() { context_.on_abort({}); }
  AbortSignal(const AbortSignal&) = delete;
  AbortSignal& operator=(const AbortSignal&) = delete;
  int fd() const { return wakeup_.fd(); }

 private:
  TaskContext& context_;
  const Wakeup wakeup_;
};

TaskResult run(const Command& command, TaskContext& context) {
  std::optional<AbortSignal> aborted;
  try {
    aborted.emplace(context);
  } catch (const std::system_error& error) {  // no descriptor is left
    return TaskResult::returned(error.what());
  }
  return run_command(command, aborted->fd(), [&](double fraction, std::string_view text) {
    context.progress(fraction, text);
  });
}

std::string param_name(std::string_view key) {
  std::string name = "GENAI_PARAM_";
  for (const char c : key) {
    if (c >= 'a' && c <= 'z')
      name += static_cast<char>(c - 'a' + 'A');
    else
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return name;
}

/// Whether the result looks like that of a command whose first program is not there. A pipeline
/// ends as its last program does: `no-such-renderer | cat` ends well, and with nothing.
bool could_not_start(const TaskResult& result) {
  if (result.kind == TaskResult::Kind::kOk) return result.data.empty() && result.files.empty();
  return result.exit_code == kNotExecutable || result.exit_code == kNotFound;
}

std::string text_of(const Param& param) {
  return std::visit([](const auto& value) { return fmt::format("{}", value); }, param);
}

}  // namespace

tl::expected<std::vector<std::string>, std::string> task_environment(const Task& task,
                                                                     const char* const* inherited) {
  std::vector<std::pair<std::string, std::string>> own{
      {"GENAI_TASK_ID", task.id},
      {"GENAI_ATTEMPT", std::to_string(task.attempt)},
      {"GENAI_MODEL", task.model},
      {"GENAI_LABEL", task.label}};
  for (const auto& [key, param] : task.params) own.emplace_back(param_name(key), text_of(param));
  std::vector<std::string> environment;
  for (; *inherited; ++inherited)
    if (!std::string_view(*inherited).starts_with("GENAI_")) environment.emplace_back(*inherited);
  std::set<std::string_view> names;
  for (const auto& [name, value] : own) {
    if (!names.insert(name).second)
      return tl::unexpected(fmt::format("two params become the same variable, {}", name));
    if (value.find('\0') != std::string::npos)
      return tl::unexpected(fmt::format(
          "{} would hold a NUL byte, which ends a variable: send such in the payload", name));
    environment.push_back(name + "=" + value);
  }
  return environment;
}

std::chrono::milliseconds command_time_limit(const Task& task, std::chrono::seconds task_timeout) {
  const std::chrono::milliseconds limit = task_timeout;
  const auto own = static_cast<std::uint64_t>(limit.count());
  return task.time_limit_ms == 0 || own < task.time_limit_ms ? limit : limit.zero();
}

Handler exec_handler(ExecOptions options) {
  return [options = std::move(options)](const Task& task, TaskContext& context) {
    auto environment = task_environment(task, environ);
    if (!environment) return TaskResult::impossible(std::move(environment.error()));
    Command command;
    command.text = options.command;
    command.environment = std::move(*environment);
    command.payload = task.payload;
    command.time_limit = command_time_limit(task, options.task_timeout);
    command.content_type = options.content_type;
    TaskResult result = run(command, context);
    if (could_not_start(result))
      if (auto problem = command_problem(options.command))
        return TaskResult::returned(std::move(*problem));
    return result;
  };
}

}  // namespace genai::node
