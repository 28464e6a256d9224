// What genai-dispatcher can be told on its command line, in its environment and in its file.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "dispatcher/config.h"
#include "dispatcher/store/start.h"
#include "protocol/runtime/logging.h"
#include "protocol/security/security_options.h"

namespace genai::dispatcher {

struct Options {
  std::string clients_endpoint = "tcp://127.0.0.1:7710";
  std::vector<std::string> brokers = {"tcp://127.0.0.1:7701"};
  std::chrono::seconds drain_timeout{300};
  transport::SecurityOptions security;
  std::vector<std::string> broker_keys;  // one for all brokers, or one for each
  std::vector<std::string> tenants;      // as parse_quota reads them; they end up in config.quotas
  store::Options store;
  Config config;
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kAuto;
};

/// Fills `options`; the exit code when the program is to end at once, having said why.
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace genai::dispatcher
