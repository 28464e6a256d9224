#include "protocol/security/key_ring.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "protocol/base/hex.h"
#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/runtime/config_file.h"
#include "protocol/runtime/draft.h"
#include "protocol/runtime/escape.h"
#include "protocol/transport/keys.h"

namespace genai::transport {
namespace {

namespace fs = std::filesystem;
using runtime::ConfigEntry;

/// One file, key by key.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Expected<Identity> read() {
    const auto entries = runtime::read_config_file(path_);
    if (!entries) return fail(ErrorCode::kMalformed, entries.error());
    for (const ConfigEntry& entry : *entries) {
      if (auto what = take(entry))
        return fail(ErrorCode::kMalformed,
                    path_ + ":" + std::to_string(entry.line) + ": " + entry.key + ": " + *what);
    }
    if (auto what = whole_problem()) return fail(ErrorCode::kMalformed, path_ + ": " + *what);
    return identity_;
  }

 private:
  std::optional<std::string> take(const ConfigEntry& entry) {
    const auto* text = std::get_if<std::string>(&entry.value);
    const auto* list = std::get_if<std::vector<std::string>>(&entry.value);
    if (entry.key == "key") {
      if (!text || !is_key(*text)) return "expected the 40 characters of a public key";
      identity_.key = *text;
    } else if (entry.key == "node") {
      const auto node = text ? NodeId::parse(*text) : std::nullopt;
      if (!node) return "expected a node id";
      identity_.node = *node;
      become(Identity::Kind::kNode);
    } else if (entry.key == "tenant") {
      if (!text || text->empty() || text->size() > limits::kMaxNameBytes || !is_valid_utf8(*text))
        return "expected a name of 1 to 128 bytes";
      identity_.tenant = *text;
      is_client_ = true;
    } else if (entry.key == "roles") {
      if (!list) return "expected a list of submit, watch, admin";
      is_client_ = true;
      for (const std::string& role : *list)
        if (!add_role(role)) return "there is no role '" + clip_text(role) + "'";
    } else if (entry.key == "dispatcher") {
      const auto* yes = std::get_if<bool>(&entry.value);
      if (!yes || !*yes) return "expected true";
      become(Identity::Kind::kDispatcher);
    } else {
      return "there is no such key";
    }
    return std::nullopt;
  }
  bool add_role(const std::string& role) {
    bool* const member = role == "submit"  ? &identity_.may_submit
                         : role == "watch" ? &identity_.may_watch
                         : role == "admin" ? &identity_.is_admin
                                           : nullptr;
    if (member) *member = true;
    return member != nullptr;
  }
  void become(Identity::Kind kind) {
    identity_.kind = kind;
    ++kinds_;
  }
  std::optional<std::string> whole_problem() {
    if (is_client_) become(Identity::Kind::kClient);
    if (identity_.key.empty()) return "key is missing";
    if (kinds_ != 1) return "expected exactly one of node, tenant with roles, dispatcher";
    if (!is_client_) return std::nullopt;
    if (!identity_.may_submit && !identity_.may_watch && !identity_.is_admin)
      return "roles are missing";
    if (identity_.tenant.empty() && !identity_.is_admin) return "tenant is missing";
    return std::nullopt;
  }

  const std::string path_;
  Identity identity_;
  bool is_client_ = false;
  unsigned kinds_ = 0;
};

tl::unexpected<Error> too_many_in(const std::string& folder) {
  return fail(ErrorCode::kTooLarge,
              folder + ": more than " + std::to_string(limits::kMaxAuthorizedKeys) + " keys");
}

Expected<std::vector<std::string>> files_in(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".toml") continue;
    paths.push_back(it->path().string());
    if (paths.size() > limits::kMaxAuthorizedKeys) return too_many_in(folder);
  }
  if (error) return fail(ErrorCode::kMalformed, folder + ": " + error.message());
  std::ranges::sort(paths);
  return paths;
}

/// Of a key's file. Z85 has characters that no file name should have.
std::string file_name(std::string_view public_key) { return hex(public_key) + ".toml"; }

/// Whether the file is about the key, though a daemon may refuse the rest of it.
bool names_key(const std::string& path, std::string_view public_key) {
  const auto entries = runtime::read_config_file(path);
  return entries && std::ranges::any_of(*entries, [&](const ConfigEntry& entry) {
           const auto* text = std::get_if<std::string>(&entry.value);
           return entry.key == "key" && text && *text == public_key;
         });
}

/// Whether a file for the key can be written without a daemon refusing the whole folder for it.
Expected<void> room_for(const std::string& folder, std::string_view public_key) {
  const auto paths = files_in(folder);
  if (!paths) return tl::unexpected(paths.error());
  const std::string own = file_name(public_key);
  bool replaces = false;
  for (const std::string& path : *paths) {
    if (fs::path(path).filename() == own)
      replaces = true;
    else if (names_key(path, public_key))
      return fail(ErrorCode::kNotAllowed, path + ": authorizes this key already: revoke it first");
  }
  if (paths->size() == limits::kMaxAuthorizedKeys && !replaces) return too_many_in(folder);
  return {};
}

/// A daemon reads all files or none, so what one command did may be for nothing.
Expected<void> check_whole(const std::string& folder) {
  const auto ring = KeyRing::read(folder);
  if (ring) return {};
  return fail(ring.error().code,
              ring.error().detail + ": running daemons keep their old keys until this is mended");
}

/// As a TOML string, whose escapes are those of JSON.
std::string toml_text(std::string_view text) {
  return '"' + runtime::escaped(text, runtime::EscapeFor::kQuoted) + '"';
}

}  // namespace

Expected<KeyRing> KeyRing::read(const std::string& folder) {
  const auto paths = files_in(folder);
  if (!paths) return tl::unexpected(paths.error());
  KeyRing ring;
  for (const std::string& path : *paths) {
    auto identity = Reader(path).read();
    if (!identity) return tl::unexpected(identity.error());
    const std::string key = identity->key;
    if (!ring.identities_.emplace(key, std::move(*identity)).second)
      return fail(ErrorCode::kMalformed, path + ": key: another file authorizes it too");
  }
  return ring;
}

const Identity& KeyRing::identify(std::string_view public_key) const {
  static const Identity kNobody = Identity::nobody();
  const auto it = identities_.find(public_key);
  return it == identities_.end() ? kNobody : it->second;
}

KeySet KeyRing::revoked_in(const KeyRing& next) const {
  KeySet keys;
  for (const auto& [key, identity] : identities_)
    if (next.identify(key) != identity) keys.insert(key);
  return keys;
}

std::string authorization_text(const Identity& identity) {
  std::string text = "key = " + toml_text(identity.key) + "\n";
  if (identity.kind == Identity::Kind::kNode)
    text += "node = " + toml_text(identity.node.str()) + "\n";
  if (identity.kind == Identity::Kind::kDispatcher) text += "dispatcher = true\n";
  if (identity.kind != Identity::Kind::kClient) return text;
  if (!identity.tenant.empty()) text += "tenant = " + toml_text(identity.tenant) + "\n";
  std::string roles;
  for (const auto& [has, role] : {std::pair(identity.may_submit, "submit"),
                                  {identity.may_watch, "watch"},
                                  {identity.is_admin, "admin"}})
    if (has) roles += (roles.empty() ? "" : ", ") + toml_text(role);
  return text + "roles = [" + roles + "]\n";
}

Expected<std::string> authorize(const std::string& folder, const Identity& identity) {
  std::error_code error;
  fs::create_directories(folder, error);
  const std::string path = folder + "/" + file_name(identity.key);
  if (const auto free = room_for(folder, identity.key); !free) return tl::unexpected(free.error());
  try {
    runtime::Draft draft(path, 0666);  // is not read: its name does not end in .toml
    draft.write(authorization_text(identity));
    // What a daemon would refuse must not get in.
    if (const auto read = Reader(draft.path()).read(); !read || *read != identity)
      return read ? fail(ErrorCode::kMalformed, "this cannot be authorized")
                  : tl::unexpected(read.error());
    draft.publish();
  } catch (const std::runtime_error& failure) {
    return fail(ErrorCode::kMalformed, failure.what());
  }
  if (const auto whole = check_whole(folder); !whole) return tl::unexpected(whole.error());
  return path;
}

Expected<std::vector<std::string>> revoke(const std::string& folder, std::string_view public_key) {
  const auto paths = files_in(folder);
  if (!paths) return tl::unexpected(paths.error());
  std::vector<std::string> removed;
  for (const std::string& path : *paths) {
    if (!names_key(path, public_key)) continue;
    std::error_code error;
    if (!fs::remove(path, error))
      return fail(ErrorCode::kMalformed, "cannot remove " + path + ": " + error.message());
    removed.push_back(path);
  }
  if (const auto whole = check_whole(folder); !whole) return tl::unexpected(whole.error());
  if (removed.empty())
    return fail(ErrorCode::kUnknownNode, folder + ": nothing authorizes this key");
  return removed;
}

}  // namespace genai::transport
