// CURVE key pairs (ZeroMQ RFC 26) and their files. A key is 32 bytes, as 40 characters of Z85.
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

/// The keys of a client's socket: its own pair, and the key of the server that it expects.
struct CurveClient {
  KeyPair own;
  std::string server_key;
};

KeyPair make_key_pair();

/// Returns whether the text has the form of a key.
bool is_key(std::string_view text);

/// Reads a key file: lines that begin with '#', and one line with the secret key. Its owner must be
/// the user of this process or root, and nobody else may have any right to it. Errors: kNotAllowed
/// for wrong rights, else kMalformed; the detail names the file and says what to do.
Expected<KeyPair> read_key_file(const std::string& path);

/// Makes the file, which only its owner may read, and PATH.pub with the public key. If one of them
/// exists, changes nothing and returns kNotAllowed.
Expected<void> write_key_file(const std::string& path, const KeyPair& keys);

/// Returns a public key. The text is the key, or a file that has it (genai-ctl keygen: FILE.pub).
Expected<std::string> public_key_of(const std::string& key_or_file);

/// Makes the keys of a socket from a program's two options. Both empty: the socket has no keys.
Expected<std::optional<CurveClient>> curve_client(const std::string& key_file,
                                                  const std::string& server_key);

}  // namespace genai::transport
