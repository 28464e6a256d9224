// What genai-broker can be told on its command line, in its environment and in its file.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/core.h"
#include "protocol/runtime/options.h"
#include "protocol/security/guard.h"

namespace genai::broker {

struct Config {
  std::string nodes_endpoint = "tcp://127.0.0.1:7700";
  std::string link_endpoint = "tcp://127.0.0.1:7701";
  std::chrono::milliseconds heartbeat_interval{1000};
  std::chrono::milliseconds suspect{3000};
  std::chrono::milliseconds lost{5000};
  std::uint64_t max_nodes = kDefaultMaxNodes;
  transport::SecurityOptions security;
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kAuto;
};

/// Fills `config`; the exit code when the program is to end at once, having said why.
std::optional<int> parse_options(int argc, const char* const* argv, Config& config);

}  // namespace genai::broker
