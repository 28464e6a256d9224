// What genai-broker can be told on its command line, in its environment and in its file.
#pragma once

#include <optional>
#include <string>

#include "broker/core.h"
#include "protocol/runtime/logging.h"
#include "protocol/security/security_options.h"

namespace genai::broker {

struct Options {
  std::string nodes_endpoint = "tcp://127.0.0.1:7700";
  std::string link_endpoint = "tcp://127.0.0.1:7701";
  Config config;  // without the instance, which is drawn at the start
  transport::SecurityOptions security;
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kAuto;
};

/// Fills `options`; the exit code when the program is to end at once, having said why.
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace genai::broker
