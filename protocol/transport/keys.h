// CURVE key pairs (ZeroMQ RFC 26) and their files. Keys are 32 bytes as 40 characters of Z85.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/errors.h"

namespace genai::transport {

struct KeyPair {
  std::string public_key;
  std::string secret_key;  // never logged, never printed
};

/// What a client's socket needs to know: itself, and whom it expects to find.
struct CurveClient {
  KeyPair own;
  std::string server_key;
};

KeyPair make_key_pair();

/// Whether it has the shape of a key.
bool is_key(std::string_view text);

/// A key file: lines that begin with '#', and one with the secret key. Only its owner, who must be
/// this process's user or root, may have any right to it. kNotAllowed for the wrong rights, else
/// kMalformed; the detail names the file and what to do.
Expected<KeyPair> read_key_file(const std::string& path);

/// Makes the file, for its owner only, and the public key beside it as PATH.pub. What exists is not
/// touched (kNotAllowed).
Expected<void> write_key_file(const std::string& path, const KeyPair& keys);

/// A public key given as itself, or as the file that has it (genai-ctl keygen writes FILE.pub).
Expected<std::string> public_key_of(const std::string& key_or_file);

/// The two options of a program that connects, as one: nothing given is nothing.
Expected<std::optional<CurveClient>> curve_client(const std::string& key_file,
                                                  const std::string& server_key);

}  // namespace genai::transport
