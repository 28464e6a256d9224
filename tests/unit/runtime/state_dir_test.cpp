#include "protocol/runtime/state_dir.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

using genai::runtime::default_state_dir;

namespace {

/// Sets (or with nullptr clears) a variable until the end of the scope.
class Environment {
 public:
  Environment(std::string name, const char* value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) {
      was_set_ = true;
      before_ = before;
    }
    value ? setenv(name_.c_str(), value, 1) : unsetenv(name_.c_str());
  }
  ~Environment() { was_set_ ? setenv(name_.c_str(), before_.c_str(), 1) : unsetenv(name_.c_str()); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string name_, before_;
  bool was_set_ = false;
};

/// Not root until the end of the scope, also when the tests are run by root.
class Unprivileged {
 public:
  Unprivileged() {
    if (before_ == 0) REQUIRE(seteuid(65534) == 0);
  }
  ~Unprivileged() {
    if (before_ == 0) [[maybe_unused]]
      const int result = seteuid(0);
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  const uid_t before_ = geteuid();
};

}  // namespace

TEST_CASE("a user's state is below XDG_STATE_HOME, else in the home") {
  const Unprivileged user;
  {
    const Environment state("XDG_STATE_HOME", "/state"), home("HOME", "/home/ada");
    CHECK(default_state_dir("genai-x") == "/state/genai-x");
  }
  for (const char* unusable : {static_cast<const char*>(nullptr), "", "relative"}) {
    const Environment state("XDG_STATE_HOME", unusable), home("HOME", "/home/ada");
    CHECK(default_state_dir("genai-x") == "/home/ada/.local/state/genai-x");
  }
}

TEST_CASE("without a home it is in the working directory") {
  const Unprivileged user;
  for (const char* home : {static_cast<const char*>(nullptr), ""}) {
    const Environment state("XDG_STATE_HOME", nullptr), no_home("HOME", home);
    CHECK(default_state_dir("genai-x") == "./genai-x");
  }
}

TEST_CASE("root's is in /var/lib, whatever the environment says") {
  if (geteuid() != 0) return;
  const Environment state("XDG_STATE_HOME", "/state"), home("HOME", "/root");
  CHECK(default_state_dir("genai-x") == "/var/lib/genai-x");
}
