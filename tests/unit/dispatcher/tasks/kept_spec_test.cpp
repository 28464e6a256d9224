#include "dispatcher/tasks/kept_spec.h"

#include <catch2/catch.hpp>

#include "protocol/wire/codec.h"

using namespace genai;
using namespace genai::dispatcher;

namespace {

TaskSpec spec_of(std::string tenant, std::string label, std::string model) {
  TaskSpec named;
  named.tenant = std::move(tenant);
  named.label = std::move(label);
  named.needs.model = std::move(model);
  named.priority = 7;
  named.max_attempts = 3;
  named.time_limit_ms = 90'000;
  named.ttl_ms = 5'000;
  return make_spec(std::move(named), {{"params", ValueMap{{"prompt", "a cat for acme, sdxl"}}}});
}

}  // namespace

TEST_CASE("what is asked again and again needs no decoding, and the rest is still there") {
  const auto [tenant, label, model] = GENERATE(table<std::string, std::string, std::string>(
      {{"acme", "a cat", "sdxl"},
       {"", "", ""},
       {"same", "same", "same"},
       {"a", "tenant", "model"},
       {std::string(128, 't'), std::string(128, 'l'), std::string(128, 'm')},
       {"Grüße", "\x01\x1f \"quoted\"", "世界"}}));
  TaskSpec spec = spec_of(tenant, label, model);
  const TaskSpec before = spec;
  const KeptSpec kept(spec);
  CHECK(kept.tenant() == tenant);
  CHECK(kept.label() == label);
  CHECK(kept.model() == model);
  CHECK(kept.priority() == 7);
  CHECK(kept.max_attempts() == 3);
  CHECK(kept.time_limit_ms() == 90'000);
  CHECK(kept.is_whole());
  CHECK(kept.raw() == before.raw);
  CHECK(kept.whole() == before);
  CHECK(spec.ttl_ms == 5'000);  // only `raw` is taken
  const KeptSpec copy = kept;
  CHECK(copy == kept);
  CHECK(copy.label() == label);
  const KeptSpec told = KeptSpec::told(kept.tenant(), kept.label(), kept.model(), kept.priority());
  CHECK(told.tenant() == tenant);
  CHECK(told.label() == label);
  CHECK(told.model() == model);
  CHECK(told.priority() == 7);
  CHECK(!told.is_whole());
  CHECK(told.raw().empty());
}

TEST_CASE("a spec as large as one may be keeps its names, which stand behind all else") {
  TaskSpec named;
  named.tenant = "zz";
  const std::string filler(limits::kMaxSpecBytes - 100, 'x');
  const KeptSpec kept(make_spec(named, {{"params", ValueMap{{"prompt", filler}}}}));
  CHECK(kept.tenant() == "zz");
  CHECK(kept.whole().tenant == "zz");
}
