#include "tools/ctl/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <unordered_set>

#include "protocol/runtime/escape.h"

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
  client.leave(result.id);
  return fmt::format("{}; the result is kept: {}", why, fetch_command({result.id}));
}

std::string Session::farewell(const std::vector<std::string>& ids) const {
  const bool one = ids.size() == 1;
  const std::string go_on =
      fmt::format("{} {} on: {}", tasks_text(ids.size()), one ? "goes" : "go", fetch_command(ids));
  return was_interrupted ? "interrupted; " + go_on
                         : fmt::format("not ended within {} s; {}", options.timeout.count(), go_on);
}

std::string fetch_command(const std::vector<std::string>& ids) {
  constexpr std::size_t kNamed = 5;
  std::string command = "genai-ctl watch --out DIR";
  for (std::size_t i = 0; i < std::min(ids.size(), kNamed); ++i) command += " " + ids[i];
  if (ids.size() > kNamed)
    command += fmt::format(" ... and {} more (see genai-ctl list)", ids.size() - kNamed);
  return command;
}

std::string gone_text(const client::TaskResult& result) {
  if (result.result_dropped) return "its result was dropped: nobody fetched it in time";
  return "its result was fetched or dropped before";
}

std::string tasks_text(std::size_t count) {
  return fmt::format("{} task{}", count, count == 1 ? "" : "s");
}

bool stdout_is_closed() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLNVAL)) == POLLERR;
}

void complain(const std::string& what) {
  std::cout.flush();
  tell("genai-ctl: " + runtime::escaped(what) + "\n");
}

void tell(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int complain_of_missing(const std::vector<std::string>& asked,
                        const std::vector<client::TaskInfo>& found) {
  std::unordered_set<std::string> known;
  for (const client::TaskInfo& task : found) known.insert(task.id);
  int code = runtime::kExitOk;
  for (const std::string& id : asked) {
    if (known.contains(id)) continue;
    complain(id + ": no such task");
    code = runtime::kExitFailure;
  }
  return code;
}

}  // namespace genai::ctl
