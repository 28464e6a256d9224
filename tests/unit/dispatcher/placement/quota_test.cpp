#include "dispatcher/placement/quota.h"

#include <catch2/catch.hpp>

using namespace genai::dispatcher;

TEST_CASE("a quota is read part by part") {
  CHECK(parse_quota("alice") == std::pair<std::string, Quota>("alice", {}));
  CHECK(parse_quota("*:running=2") == std::pair<std::string, Quota>("*", {1, 0, 2, 0}));
  CHECK(parse_quota("a b:weight=0.5:queued=10:running=3:mib=2") ==
        std::pair<std::string, Quota>("a b", {0.5, 10, 3, 2u << 20}));
}

TEST_CASE("a wrong quota is told") {
  CHECK(parse_quota("").error() == "'': expected a name of 1 to 128 bytes");
  CHECK(parse_quota(":weight=1").error() == "':weight=1': expected a name of 1 to 128 bytes");
  CHECK(parse_quota("a:weight=0").error() ==
        "'a:weight=0': weight: expected a number above 0, at most 1000000");
  CHECK_FALSE(parse_quota("a:weight=nan"));
  CHECK_FALSE(parse_quota("a:weight=inf"));
  CHECK(parse_quota("a:queued=-1").error() ==
        "'a:queued=-1': queued: expected an integer from 0 to 1000000000");
  CHECK_FALSE(parse_quota("a:queued=1x"));
  CHECK_FALSE(parse_quota("a:queued"));
  CHECK(parse_quota("a:slots=1").error() ==
        "'a:slots=1': no such quota 'slots' (weight, queued, running, mib)");
}
