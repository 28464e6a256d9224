// Endpoints as texts for ZeroMQ: tcp://HOST:PORT, ipc://PATH, inproc://NAME.
#pragma once

#include <optional>
#include <string>

namespace genai::transport {

/// Returns the mistake in `endpoint`, or nothing. It looks at the form only: a bind may still fail.
std::optional<std::string> endpoint_problem(const std::string& endpoint);

/// Returns whether only this machine can reach it: ipc, inproc, or tcp on a loopback address.
bool is_local(const std::string& endpoint);

/// Returns the reason not to connect there, or nothing: another machine must be known by its key,
/// unless the network is trusted (`insecure`). `key_option`: the option that takes such a key.
std::optional<std::string> connect_problem(const std::string& endpoint, bool encrypted,
                                           bool insecure, const std::string& key_option);

}  // namespace genai::transport
