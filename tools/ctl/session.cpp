#include "tools/ctl/session.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <unordered_set>

#include "protocol/process/escape.h"

namespace genai::ctl {
namespace {

/// Only what a signal handler may do.
void end_interrupted(int) {
  static constexpr char kText[] =
      "\ngenai-ctl: interrupted before the dispatcher answered; tasks that it took go on: see "
      "genai-ctl list\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(kExitInterrupted);
}

}  // namespace

void Session::explain_interrupt() {
  struct sigaction action {};
  sigaction(SIGINT, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;  // started in the background: not meant for it
  action.sa_handler = end_interrupted;
  sigaction(SIGINT, &action, nullptr);
}

std::optional<client::Event> Session::next(Clock::time_point deadline,
                                           const std::function<void()>& idle) {
  constexpr client::Millis kLook{100};
  for (;;) {
    if (idle) idle();
    if (interrupted() || Clock::now() >= deadline) return std::nullopt;
    const std::size_t open = client.open_tasks();
    if (auto event = client.next(kLook)) return event;
    if (open == 0) return std::nullopt;
  }
}

std::string Session::leave(const client::TaskResult& result, const std::string& why) {
  client.watch({result.id}, client::Watch::kNone);
  return fmt::format("{}; the result is kept: genai-ctl watch {} --out DIR", why, result.id);
}

void complain(const std::string& what) {
  std::cout.flush();
  fmt::print(stderr, "genai-ctl: {}\n", process::escaped(what));
}

int complain_of_missing(const std::vector<std::string>& asked,
                        const std::vector<client::TaskInfo>& found) {
  std::unordered_set<std::string> known;
  for (const client::TaskInfo& task : found) known.insert(task.id);
  int code = process::kExitOk;
  for (const std::string& id : asked) {
    if (known.contains(id)) continue;
    complain(id + ": no such task");
    code = process::kExitFailure;
  }
  return code;
}

}  // namespace genai::ctl
