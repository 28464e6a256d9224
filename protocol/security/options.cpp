#include "protocol/security/options.h"

#include "protocol/security/key_ring.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/keys.h"

namespace genai::transport {

using runtime::OptionProblem;

bool asks_for_keys(const std::string& endpoint, const SecurityOptions& options) {
  if (options.key_file.empty() || !endpoint.starts_with("tcp://")) return false;
  return options.secure_loopback || !is_local(endpoint);
}

void add_options(runtime::Options& parser, SecurityOptions& options) {
  parser.add("key-file", options.key_file,
             "Our secret key (genai-ctl keygen): other machines connect encrypted, with a key");
  parser.add("authorized-keys", options.authorized_keys,
             "Folder with the keys that may connect (genai-ctl authorize); read again on SIGHUP");
  parser.add("secure-loopback", options.secure_loopback, "Ask for keys on loopback addresses too");
  parser.add("insecure", options.insecure,
             "Let other machines connect although nothing is encrypted");
}

std::optional<OptionProblem> security_problem(const std::string& option,
                                              const std::string& endpoint,
                                              const SecurityOptions& options) {
  if (auto what = endpoint_problem(endpoint)) return OptionProblem{{option}, *what};
  if (is_local(endpoint) || asks_for_keys(endpoint, options) || options.insecure)
    return std::nullopt;
  return OptionProblem{{option},
                       endpoint +
                           " is reachable from outside this machine: it needs a "
                           "--key-file, or --insecure"};
}

std::optional<OptionProblem> security_problem(const SecurityOptions& options) {
  if (options.secure_loopback && options.key_file.empty())
    return OptionProblem{{"secure-loopback"}, "secure-loopback needs a key-file"};
  if (options.key_file.empty()) return std::nullopt;
  if (const auto key = read_key_file(options.key_file); !key)
    return OptionProblem{{"key-file"}, key.error().detail};
  if (options.authorized_keys.empty())
    return OptionProblem{{"authorized-keys"},
                         "a key-file needs a folder authorized-keys: who may connect"};
  if (const auto ring = KeyRing::read(options.authorized_keys); !ring)
    return OptionProblem{{"authorized-keys"}, ring.error().detail};
  return std::nullopt;
}

}  // namespace genai::transport
