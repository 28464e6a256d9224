#include "tools/ctl/keys.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "protocol/security/key_ring.h"
#include "protocol/transport/keys.h"
#include "tools/ctl/json.h"
#include "tools/ctl/session.h"

namespace genai::ctl {
namespace {

int failed(const Error& error) {
  complain(error.detail);
  return runtime::kExitFailure;
}

int generate(const std::string& file, bool json) {
  const transport::KeyPair keys = transport::make_key_pair();
  if (const auto written = transport::write_key_file(file, keys); !written)
    return failed(written.error());
  if (json)
    print({{"file", file}, {"public_key", keys.public_key}});
  else
    std::cout << keys.public_key << "\n";
  return runtime::kExitOk;
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

int tell(const std::string& done, const std::vector<std::string>& files, bool json) {
  for (const std::string& file : files)
    if (json)
      print({{"done", done}, {"file", file}});
    else
      std::cout << done << ": " << file << "\n";
  if (json) return runtime::kExitOk;
  std::cout << "in force once the daemons that use this folder get a SIGHUP\n";
  return runtime::kExitOk;
}

int authorize(const KeyOptions& options, const std::string& key, bool json) {
  const auto file = transport::authorize(options.folder, identity_of(options, key));
  return file ? tell("authorized", {*file}, json) : failed(file.error());
}

int revoke(const std::string& folder, const std::string& key, bool json) {
  const auto files = transport::revoke(folder, key);
  return files ? tell("revoked", *files, json) : failed(files.error());
}

}  // namespace

int run_keys(const Options& options) {
  const KeyOptions& o = options.keys;
  if (options.command == "keygen") return generate(o.file, options.json);
  const auto key = transport::public_key_of(o.key);
  if (!key) return failed(key.error());
  return options.command == "authorize" ? authorize(o, *key, options.json)
                                        : revoke(o.folder, *key, options.json);
}

}  // namespace genai::ctl
