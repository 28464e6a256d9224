// What every subcommand works with.
#pragma once

#include <optional>

#include "genai/client.h"
#include "protocol/process/signals.h"
#include "tools/ctl/options.h"

namespace genai::ctl {

inline constexpr int kExitInterrupted = 130;

struct Session {
  const Options& options;
  client::Client& client;
  std::optional<process::SignalFd> signals;

  /// From here on SIGINT and SIGTERM do not end the program but show in interrupted(). The
  /// client's own threads exist already, but they block all signals by themselves.
  void catch_signals() { signals.emplace(); }
  /// Whether SIGINT or SIGTERM has come since the last call.
  bool interrupted() {
    bool any = false;
    while (signals && signals->read()) any = true;
    return any;
  }
};

// Each runs one subcommand and returns the exit code. ClientError and InputError pass through.
int run_submit(Session& session);
int run_status(Session& session);
int run_watch(Session& session);
int run_cancel(Session& session);
int run_list(Session& session);
int run_nodes(Session& session);
int run_drain(Session& session);
int run_top(Session& session);

}  // namespace genai::ctl
