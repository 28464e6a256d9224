// The command line of genai-ctl.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "genai/client/types.h"
#include "protocol/runtime/options.h"

namespace genai::ctl {

/// What `submit` was told; at most one source of prompts is given.
struct SubmitOptions {
  std::string prompt, file, lines, jsonl;
  bool from_stdin = false;
  client::TaskRequest task;         // all but its params and its payload
  std::vector<std::string> params;  // K=V
  bool comments = false;            // lines that begin with '#' are no prompts
  bool wait = false;
};

/// What `keygen`, `authorize` and `revoke` were told.
struct KeyOptions {
  std::string file, folder, key;
  std::string node, tenant;
  std::vector<std::string> roles;
  bool is_dispatcher = false;
};

struct Options {
  std::string command;  // the subcommand's name; "failed list" of one within another
  std::string dispatcher = "tcp://127.0.0.1:7710";
  std::chrono::seconds timeout{10};
  bool timeout_given = false;
  bool json = false;

  std::string key_file, server_key;
  bool insecure = false;

  SubmitOptions submit;
  KeyOptions keys;
  std::string out, suffix;           // submit, watch
  bool overwrite = false;            // submit, watch
  std::vector<std::string> tasks;    // status, explain, watch, cancel, reprioritise, failed
  std::uint8_t priority = 0;         // reprioritise
  std::string status;                // list: only these
  std::uint64_t limit = 100;         // list, failed list
  std::string after;                 // list, failed list: behind this id
  bool long_format = false;          // nodes
  std::uint64_t interval_ms = 1000;  // top
  bool once = false;                 // top
  std::string node;                  // drain
  bool all = false;                  // list, drain, failed list, failed replay, failed purge
  bool off = false;                  // drain
  bool yes = false;                  // failed purge
  std::string file, data_dir;        // backup
  bool force = false;                // backup
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kAuto;
};

/// Fills `options`; the exit code when the program is to end at once, having said why.
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace genai::ctl
