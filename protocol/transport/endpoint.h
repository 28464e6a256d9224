// Endpoint texts as ZeroMQ takes them: tcp://HOST:PORT, ipc://PATH, inproc://NAME.
#pragma once

#include <optional>
#include <string>

namespace genai::transport {

/// What is wrong with `endpoint`, or nothing. Only the shape is judged; the bind may still fail.
std::optional<std::string> endpoint_problem(const std::string& endpoint);

/// Whether only this machine can reach it: ipc, inproc, or tcp on a loopback address.
bool is_local(const std::string& endpoint);

/// What is wrong with connecting there: other machines must be known by their keys, unless their
/// network is trusted (`insecure`). `key_option`: the option that takes such a key.
std::optional<std::string> connect_problem(const std::string& endpoint, bool encrypted,
                                           bool insecure, const std::string& key_option);

}  // namespace genai::transport
