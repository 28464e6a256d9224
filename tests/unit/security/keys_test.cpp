// Key files and the folder of authorized keys.
#include "protocol/transport/keys.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "protocol/base/limits.h"
#include "protocol/security/key_ring.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using namespace genai::transport;
using genai::test::TempFolder;
namespace fs = std::filesystem;

namespace {

Identity node(const std::string& key, const std::string& id) {
  return {.kind = Identity::Kind::kNode, .key = key, .node = *NodeId::parse(id)};
}

}  // namespace

TEST_CASE("a key file is read back, and is nobody else's") {
  const TempFolder folder;
  const std::string path = folder / "key";
  const KeyPair keys = make_key_pair();
  REQUIRE(write_key_file(path, keys));
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto read = read_key_file(path);
  REQUIRE(read);
  CHECK(read->public_key == keys.public_key);
  CHECK(read->secret_key == keys.secret_key);
  CHECK(write_key_file(path, make_key_pair()).error().code == ErrorCode::kNotAllowed);
  CHECK(read_key_file(path)->secret_key == keys.secret_key);
  for (const mode_t mode : {0640, 0604, 0610, 0666}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    const auto refused = read_key_file(path);
    REQUIRE(!refused);
    CHECK(refused.error().code == ErrorCode::kNotAllowed);
    CHECK(refused.error().detail.find(path) != std::string::npos);
    CHECK(refused.error().detail.find("chmod 600") != std::string::npos);
    CHECK(refused.error().detail.find(keys.secret_key) == std::string::npos);
  }
}

TEST_CASE("what is no key file is refused") {
  const TempFolder folder;
  const KeyPair keys = make_key_pair();
  const auto refused = [&](const std::string& text) {
    const std::string path = folder.file("key", text);
    chmod(path.c_str(), 0600);
    return !read_key_file(path);
  };
  CHECK(!refused("# a comment\n" + keys.secret_key + "\n"));
  CHECK(refused(""));
  CHECK(refused("# only\n"));
  CHECK(refused(keys.secret_key + "\n" + keys.secret_key + "\n"));
  CHECK(refused(keys.secret_key.substr(1) + "\n"));
  CHECK(refused(std::string(40, '"') + "\n"));
  CHECK(refused(std::string(100'000, '#') + "\n" + keys.secret_key));
  CHECK(!read_key_file(folder / "nothing"));
  CHECK(!read_key_file(folder.path));
}

TEST_CASE("keys have one shape") {
  CHECK(is_key(make_key_pair().public_key));
  CHECK(!is_key(""));
  CHECK(!is_key(std::string(39, 'a')));
  CHECK(!is_key(std::string(41, 'a')));
  CHECK(!is_key(std::string(39, 'a') + std::string(1, '\0')));
  CHECK(!is_key(std::string(20, 'a') + "\n" + std::string(19, 'a')));
}

TEST_CASE("a public key is given as itself or as its file") {
  const TempFolder folder;
  const KeyPair keys = make_key_pair();
  REQUIRE(write_key_file(folder / "key", keys));
  CHECK(public_key_of(keys.public_key) == keys.public_key);
  CHECK(public_key_of(folder / "key.pub") == keys.public_key);
  CHECK(!public_key_of(folder / "key"));  // whose first line is a comment
  CHECK(!public_key_of(folder / "nothing"));
  // A path can look like a key.
  std::string path = folder / "";
  path.resize(40, 'x');
  REQUIRE(is_key(path));
  fs::copy(folder / "key.pub", path);
  CHECK(public_key_of(path) == keys.public_key);
}

TEST_CASE("a program that connects needs both keys or none") {
  const TempFolder folder;
  const std::string path = folder / "key";
  REQUIRE(write_key_file(path, make_key_pair()));
  const std::string server = make_key_pair().public_key;
  CHECK(!curve_client("", "")->has_value());
  CHECK(curve_client(path, server)->value().server_key == server);
  CHECK(!curve_client("", server));
  CHECK(!curve_client(path, "no key"));
}

TEST_CASE("what is authorized is what is read") {
  const TempFolder folder;
  const std::string ring_path = folder / "authorized";
  std::vector<Identity> all;
  all.push_back(node(make_key_pair().public_key, "painter-1"));
  all.push_back({.kind = Identity::Kind::kClient,
                 .key = make_key_pair().public_key,
                 .tenant = "a \"quoted\" \\ name\x01",
                 .may_submit = true});
  all.push_back(
      {.kind = Identity::Kind::kClient, .key = make_key_pair().public_key, .is_admin = true});
  all.push_back({.kind = Identity::Kind::kDispatcher, .key = make_key_pair().public_key});
  for (const Identity& who : all) REQUIRE(authorize(ring_path, who));
  const auto ring = KeyRing::read(ring_path);
  REQUIRE(ring);
  CHECK(ring->size() == all.size());
  for (const Identity& who : all) CHECK(ring->identify(who.key) == who);
  CHECK(ring->identify(make_key_pair().public_key) == Identity::nobody());
  CHECK(ring->identify("") == Identity::nobody());

  // Again, for something else: the newer counts.
  REQUIRE(authorize(ring_path, node(all[0].key, "painter-2")));
  REQUIRE(revoke(ring_path, all[1].key));
  CHECK(!revoke(ring_path, all[1].key));
  const auto next = KeyRing::read(ring_path);
  REQUIRE(next);
  CHECK(next->identify(all[0].key).node.str() == "painter-2");
  CHECK(!next->contains(all[1].key));
  CHECK(ring->revoked_in(*next) == KeySet{all[0].key, all[1].key});
  CHECK(next->revoked_in(*ring) == KeySet{all[0].key});
  CHECK(next->revoked_in(*next).empty());
}

TEST_CASE("a file that authorizes half is refused, with its line") {
  const TempFolder folder;
  const std::string key = "key = \"" + make_key_pair().public_key + "\"\n";
  const auto problem = [&](const std::string& text) {
    folder.file("x.toml", text);
    const auto ring = KeyRing::read(folder.path);
    return ring ? std::string() : ring.error().detail;
  };
  const std::string path = folder / "x.toml";
  CHECK(problem(key + "node = \"n\"\n").empty());
  CHECK(problem("node = \"n\"\n") == path + ": key is missing");
  CHECK(problem("key = \"short\"\n").starts_with(path + ":1: key: "));
  CHECK(problem(key + "node = \"no spaces\"\n").starts_with(path + ":2: node: "));
  CHECK(problem(key + "nod = \"n\"\n").starts_with(path + ":2: nod: "));
  CHECK(problem(key + "roles = [\"root\"]\ntenant = \"t\"\n").starts_with(path + ":2: roles: "));
  CHECK(problem(key + "roles = \"submit\"\n").starts_with(path + ":2: roles: "));
  CHECK(problem(key + "dispatcher = false\n").starts_with(path + ":2: dispatcher: "));
  CHECK(problem(key + "tenant = \"\"\n").starts_with(path + ":2: tenant: "));
  CHECK(!problem(key).empty());
  CHECK(!problem(key + "tenant = \"t\"\n").empty());
  CHECK(!problem(key + "roles = [\"submit\"]\n").empty());
  CHECK(!problem(key + "node = \"n\"\ndispatcher = true\n").empty());
  CHECK(!problem("garbage").empty());
  CHECK(!KeyRing::read(folder / "nowhere"));
}

TEST_CASE("one key in two files is refused; other files are none of ours") {
  const TempFolder folder;
  const std::string text = "key = \"" + make_key_pair().public_key + "\"\nnode = \"n\"\n";
  folder.file("a.toml", text);
  folder.file("notes.txt", "not a key");
  CHECK(KeyRing::read(folder.path)->size() == 1);
  folder.file("b.toml", text);
  const auto ring = KeyRing::read(folder.path);
  REQUIRE(!ring);
  CHECK(ring.error().detail.starts_with(folder / "b.toml"));
}

TEST_CASE("a key that another file names is not authorized a second time") {
  const TempFolder folder;
  const std::string key = make_key_pair().public_key;
  const std::string by_hand =
      folder.file("by-hand.toml", "key = \"" + key + "\"\nnode = \"painter-1\"\n");
  const auto refused = authorize(folder.path, node(key, "painter-2"));
  REQUIRE(!refused);
  CHECK(refused.error().code == ErrorCode::kNotAllowed);
  CHECK(refused.error().detail.starts_with(by_hand));
  CHECK(KeyRing::read(folder.path)->identify(key).node.str() == "painter-1");
  REQUIRE(revoke(folder.path, key));
  CHECK(authorize(folder.path, node(key, "painter-2")));
}

TEST_CASE("a revoked key is in no file any more, whatever else these say") {
  const TempFolder folder;
  const std::string key = make_key_pair().public_key, other = make_key_pair().public_key;
  REQUIRE(authorize(folder.path, node(other, "painter-2")));
  REQUIRE(authorize(folder.path, node(key, "painter-1")));
  folder.file("by-hand.toml", "key = \"" + key + "\"\nnode = \"painter-1\"\n");
  folder.file("half.toml", "nod = \"n\"\nkey = \"" + key + "\"\n");
  const auto removed = revoke(folder.path, key);
  REQUIRE(removed);
  CHECK(removed->size() == 3);
  const auto ring = KeyRing::read(folder.path);
  REQUIRE(ring);
  CHECK(ring->size() == 1);
  CHECK(ring->contains(other));
}

TEST_CASE("what daemons would not take up is told as an error, though it is done") {
  const TempFolder folder;
  const std::string key = make_key_pair().public_key;
  const auto tells = [&](const Error& error) {
    return error.detail.starts_with(folder / "broken.toml:1: key: ") &&
           error.detail.find("keep their old keys") != std::string::npos;
  };
  const std::string broken = folder.file("broken.toml", "key = \"short\"\n");
  const auto authorized = authorize(folder.path, node(key, "painter-1"));
  REQUIRE(!authorized);
  CHECK(tells(authorized.error()));
  const auto revoked = revoke(folder.path, key);
  REQUIRE(!revoked);
  CHECK(tells(revoked.error()));
  fs::remove(broken);
  CHECK(KeyRing::read(folder.path)->size() == 0);
  CHECK(revoke(folder.path, key).error().code == ErrorCode::kUnknownNode);
}

TEST_CASE("a folder of more keys than may be authorized is refused") {
  const TempFolder folder;
  const auto add = [&](std::size_t i) {
    std::ofstream(folder.path + "/" + std::to_string(i) + ".toml");
  };
  for (std::size_t i = 0; i < limits::kMaxAuthorizedKeys; ++i) add(i);
  // Nor can one be authorized too many.
  const auto authorized = authorize(folder.path, node(make_key_pair().public_key, "painter-1"));
  REQUIRE(!authorized);
  CHECK(authorized.error().code == ErrorCode::kTooLarge);
  add(limits::kMaxAuthorizedKeys);
  const auto ring = KeyRing::read(folder.path);
  REQUIRE(!ring);
  CHECK(ring.error().code == ErrorCode::kTooLarge);
}
