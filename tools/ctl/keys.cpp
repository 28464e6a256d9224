#include "tools/ctl/keys.h"

#include <algorithm>
#include <iostream>

#include "protocol/transport/key_ring.h"
#include "protocol/transport/keys.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

int failed(const Error& error) {
  complain(error.detail);
  return process::kExitFailure;
}

int generate(const std::string& file) {
  const transport::KeyPair keys = transport::make_key_pair();
  if (const auto written = transport::write_key_file(file, keys); !written)
    return failed(written.error());
  std::cout << keys.public_key << "\n";
  return process::kExitOk;
}

Identity identity_of(const KeyOptions& options, std::string key) {
  Identity who;
  who.key = std::move(key);
  if (!options.node.empty()) {
    who.kind = Identity::Kind::kNode;
    who.node = NodeId::parse(options.node).value_or(NodeId());
  } else if (options.is_dispatcher) {
    who.kind = Identity::Kind::kDispatcher;
  } else {
    who.kind = Identity::Kind::kClient;
    who.tenant = options.tenant;
    const auto has = [&](const char* role) {
      return std::find(options.roles.begin(), options.roles.end(), role) != options.roles.end();
    };
    who.may_submit = has("submit");
    who.may_watch = has("watch");
    who.is_admin = has("admin");
  }
  return who;
}

}  // namespace

int run_keys(const Options& options) {
  const KeyOptions& o = options.keys;
  if (options.command == "keygen") return generate(o.file);
  const auto key = transport::public_key_of(o.key);
  if (!key) return failed(key.error());
  const auto path = options.command == "authorize"
                        ? transport::authorize(o.folder, identity_of(o, *key))
                        : transport::revoke(o.folder, *key);
  if (!path) return failed(path.error());
  std::cout << (options.command == "authorize" ? "authorized: " : "revoked: ") << *path
            << "\nin force once the daemons that use this folder get a SIGHUP\n";
  return process::kExitOk;
}

}  // namespace genai::ctl
