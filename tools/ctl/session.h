// What every subcommand works with.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "genai/client.h"
#include "protocol/runtime/signals.h"
#include "tools/ctl/options.h"

namespace genai::ctl {

inline constexpr int kExitInterrupted = 130;

using Clock = std::chrono::steady_clock;

struct Session {
  const Options& options;
  client::Client& client;
  std::optional<runtime::SignalFd> signals;
  bool was_interrupted = false;

  /// Until catch_signals: SIGINT ends the program at once, but says that tasks may go on. For calls
  /// that block until the dispatcher answers.
  static void explain_interrupt();
  /// From here on SIGINT and SIGTERM do not end the program but show in interrupted(). The
  /// client's own threads exist already, but they block all signals by themselves.
  void catch_signals() { signals.emplace(); }
  /// Whether SIGINT or SIGTERM has come.
  bool interrupted() {
    while (signals && signals->read()) was_interrupted = true;
    return was_interrupted;
  }
  /// When waiting for results ends: --timeout-s from now if that was given, else never.
  Clock::time_point results_deadline() const {
    return options.timeout_given ? Clock::now() + options.timeout : Clock::time_point::max();
  }
  /// Of a result that was taken and cannot be kept here: it stays with the dispatcher. The sentence
  /// that says so.
  std::string leave(const client::TaskResult& result, const std::string& why);
  /// Why the wait for `ids` ended before they did, and how to fetch their results.
  std::string farewell(const std::vector<std::string>& ids) const;
  /// The next event; nothing when no watched task is left, after `deadline`, or when interrupted.
  /// Calls `idle` at least ten times a second.
  std::optional<client::Event> next(Clock::time_point deadline,
                                    const std::function<void()>& idle = {});
};

/// How to get the results of `ids` later.
std::string fetch_command(const std::vector<std::string>& ids);
/// Of a completed task without data: where that went.
std::string gone_text(const client::TaskResult& result);
/// "1 task", "3 tasks".
std::string tasks_text(std::size_t count);

/// Whether nobody reads what we write to stdout any more: `genai-ctl list | head -1`.
bool stdout_is_closed();
/// Writes to stderr, as it is. What is said there is worth no failure: a closed one is none.
void tell(const std::string& text);
/// A line on stderr, made safe for a terminal.
void complain(const std::string& what);
/// Says which of the tasks asked for are not among those found; the exit code.
int complain_of_missing(const std::vector<std::string>& asked,
                        const std::vector<client::TaskInfo>& found);

// Each runs one subcommand and returns the exit code. ClientError and InputError pass through.
int run_submit(Session& session);
int run_status(Session& session);
int run_explain(Session& session);
int run_reprioritise(Session& session);
int run_watch(Session& session);
int run_cancel(Session& session);
int run_fetch(Session& session);
int run_delete(Session& session);
int run_list(Session& session);
int run_failed_list(Session& session);
int run_failed_show(Session& session);
int run_failed_replay(Session& session);
int run_failed_purge(Session& session);
int run_nodes(Session& session);
int run_drain(Session& session);
int run_top(Session& session);
/// Needs no dispatcher.
int run_backup(const Options& options);

}  // namespace genai::ctl
