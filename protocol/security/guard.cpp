#include "protocol/security/guard.h"

#include <stdexcept>
#include <utility>

#include "protocol/runtime/logging.h"
#include "protocol/transport/endpoint.h"

namespace genai::transport {

using runtime::OptionProblem;

namespace {

bool asks_for_keys(const std::string& endpoint, const SecurityOptions& options) {
  if (options.key_file.empty() || !endpoint.starts_with("tcp://")) return false;
  return options.secure_loopback || !is_local(endpoint);
}

}  // namespace

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

Guard::Guard(Context& context, const SecurityOptions& options) : options_(options) {
  if (options_.key_file.empty()) return;
  auto own = read_key_file(options_.key_file);
  if (!own) throw std::runtime_error(own.error().detail);
  own_ = std::move(*own);
  auto ring = KeyRing::read(options_.authorized_keys);
  if (!ring) throw std::runtime_error(ring.error().detail);
  authenticator_ = std::make_unique<Authenticator>(context, std::move(*ring));
  reader_.emplace(options_.authorized_keys);
  ring_ = authenticator_->ring();
}

std::optional<KeyPair> Guard::key_for(const std::string& endpoint) const {
  return asks_for_keys(endpoint, options_) ? own_ : std::nullopt;
}

const Identity& Guard::identify(const Router& router, const Received& received) const {
  static const Identity kAnyone = Identity::anyone();
  return router.asks_for_keys() ? ring_->identify(received.key) : kAnyone;
}

void Guard::reload() {
  if (reader_ && !reader_->start())
    runtime::log_warn("the keys are still being read: once more afterwards",
                      {{"folder", options_.authorized_keys}});
}

KeySet Guard::take_revoked() {
  auto next = reader_ ? reader_->poll() : std::nullopt;
  if (!next) return {};
  if (!*next) {
    runtime::log_error("the keys stay as they were: they cannot be read",
                       {{"error", next->error().detail}});
    return {};
  }
  const auto before = ring_;
  authenticator_->replace(std::move(**next));
  ring_ = authenticator_->ring();
  KeySet revoked = before->revoked_in(*ring_);
  runtime::log_info("keys read again", {{"authorized", authorized()}, {"revoked", revoked.size()}});
  return revoked;
}

}  // namespace genai::transport
