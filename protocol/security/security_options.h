// The options of a daemon about keys.
#pragma once

#include <string>

namespace genai::transport {

struct SecurityOptions {
  std::string key_file;          // ours; empty: none
  std::string authorized_keys;   // folder of the keys that may connect (KeyRing)
  bool insecure = false;         // other machines may connect without a key
  bool secure_loopback = false;  // loopback addresses ask for keys too
};

/// Returns whether a socket that listens at `endpoint` asks for keys.
bool asks_for_keys(const std::string& endpoint, const SecurityOptions& options);

}  // namespace genai::transport
