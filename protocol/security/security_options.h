// What a daemon is told of the keys of those who connect to it.
#pragma once

#include <string>

namespace genai::transport {

struct SecurityOptions {
  std::string key_file;          // ours; empty: none
  std::string authorized_keys;   // folder of those who may connect (KeyRing)
  bool insecure = false;         // without a key other machines may connect all the same
  bool secure_loopback = false;  // ask for keys on loopback too
};

/// Whether a socket that listens at `endpoint` asks for keys.
bool asks_for_keys(const std::string& endpoint, const SecurityOptions& options);

}  // namespace genai::transport
