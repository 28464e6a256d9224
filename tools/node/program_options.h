// What genai-node can be told on its command line, in its environment and in its file.
#pragma once

#include <optional>

#include "genai/node.h"
#include "protocol/runtime/options.h"
#include "tools/node/default_id.h"
#include "tools/node/echo_handler.h"
#include "tools/node/exec_handler.h"

namespace genai::node {

struct Options {
  NodeConfig node;
  ExecOptions exec;
  bool insecure = false;
  bool is_echo = false;  // else exec
  EchoOptions echo;
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kAuto;
  // Given by an option; what is not, the program finds out.
  bool knows_ncpu = false;
  bool knows_ram = false;
  bool knows_gpu = false;
  bool knows_vram = false;
  DefaultId default_id;  // of a node that was given no id
};

/// Fills `options`; the exit code when the program is to end at once, having said why.
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

/// Finds out what no option said: asks the machine, and takes a node id.
void complete_with_machine(Options& options);

}  // namespace genai::node
