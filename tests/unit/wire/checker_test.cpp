// What a checker refuses is what a reader would.
#include "protocol/wire/checker.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <random>

#include "protocol/wire/encoded_size.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/open_map.h"

using namespace genai;

namespace {

using Random = std::mt19937;

std::string random_text(Random& random, std::size_t max) {
  return std::string(random() % (max + 1), static_cast<char>('a' + random() % 26));
}

Value random_value(Random& random, int depth) {
  const std::uint64_t bits = (std::uint64_t{random()} << 32) | random();
  switch (random() % (depth > 0 ? 9 : 7)) {
    case 0:
      return Value();
    case 1:
      return Value(random() % 2 == 0);
    case 2:
      return Value(bits >> (random() % 64));
    case 3:
      return Value(-static_cast<std::int64_t>(bits >> (1 + random() % 63)));
    case 4:
      return Value(static_cast<double>(bits));
    case 5:
      return Value(random_text(random, random() % 3 == 0 ? 70'000 : 300));
    case 6:
      return Value(Bytes{random_text(random, random() % 3 == 0 ? 70'000 : 300)});
    case 7: {
      ValueList list(random() % 20);
      for (Value& value : list) value = random_value(random, depth - 1);
      return list;
    }
    default: {
      ValueMap map;
      for (auto left = random() % 20; left > 0; --left)
        map.insert_or_assign(random_text(random, 40), random_value(random, depth - 1));
      return map;
    }
  }
}

PublicMetaInfo random_meta(Random& random) {
  const auto names = [&] {
    std::vector<std::string> names(random() % 2 == 0 ? 0 : random() % 40);
    for (std::string& name : names) name = random_text(random, 128);
    return names;
  };
  const auto number = [&] { return random() % 2 == 0 ? 0u : random() >> (random() % 32); };
  PublicMetaInfo meta;
  meta.models = names();
  meta.loaded_models = names();
  meta.gpu_type = random() % 2 == 0 ? "" : random_text(random, 128);
  meta.ncpu = number();
  meta.ram_mib = number();
  meta.vram_mib = number();
  meta.slots = 1 + random() % limits::kMaxSlots;
  meta.min_cost = static_cast<double>(number()) / 7;
  return meta;
}

msg::ProviderEntry provider() {
  msg::ProviderEntry entry{SessionId(), *NodeId::parse("n"), ProviderState::kOnline, {}, {}};
  entry.meta.models = {"sdxl"};
  entry.held = {{*TaskId::parse("t"), 1, 2}};
  return entry;
}

/// How the other side would answer.
ErrorCode decoded(const Message& message, Direction direction) {
  const auto read = decode(Blob(encode(message)), direction);
  return read ? ErrorCode::kOk : read.error().code;
}

ErrorCode code_of(const std::optional<Error>& problem) {
  return problem ? problem->code : ErrorCode::kOk;
}

ErrorCode checked(const msg::ProviderEntry& entry) {
  return code_of(wire::problem_in(entry, "provider", 3));
}
ErrorCode decoded(const msg::ProviderEntry& entry) {
  return decoded(msg::Delta{{}, 0, {msg::Delta::Joined{entry}}}, Direction::kLinkToDispatcher);
}

ErrorCode checked(const msg::Submit& submit) {
  return code_of(wire::problem_in(submit, "SUBMIT", 0));
}
ErrorCode decoded(const msg::Submit& submit) { return decoded(submit, Direction::kFromClient); }

msg::Submit submit_of(const TaskSpec& named, const ValueMap& extra) {
  return {1, msg::WatchLevel::kNone, {{*TaskId::parse("t"), make_spec(named, extra), {}}}};
}

Value nested(std::size_t depth) {
  Value value(1);
  for (; depth > 0; --depth) value = ValueList{value};
  return value;
}

}  // namespace

TEST_CASE("the size of a value is what it takes when it is written") {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const ValueMap map{{"k", random_value(random, 3)}};
    CHECK(wire::encoded_size(map) == encode_map(map).size());
  }
}

TEST_CASE("the size of metadata is what it takes when it is written") {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const PublicMetaInfo meta = random_meta(random);
    const wire::MetaSize size = wire::meta_size(meta);
    CHECK(size.bytes == encode_map(wire::map_from(meta)).size());
    CHECK(!size.problem);
  }
}

TEST_CASE("of a provider the checker refuses what the reader would, with its code") {
  const std::string long_name(limits::kMaxNameBytes + 1, 'x');
  struct Case {
    const char* what;
    std::function<void(msg::ProviderEntry&)> spoil;
    ErrorCode code;
  };
  const Case cases[] = {
      {"nothing", [](auto&) {}, ErrorCode::kOk},
      {"no node id", [](auto& e) { e.node_id = {}; }, ErrorCode::kBadField},
      {"no task id", [](auto& e) { e.held[0].task_id = {}; }, ErrorCode::kBadField},
      {"a state that does not exist",
       [](auto& e) { e.state = static_cast<ProviderState>(kMaxProviderState + 1); },
       ErrorCode::kBadField},
      {"no slots", [](auto& e) { e.meta.slots = 0; }, ErrorCode::kBadField},
      {"too many slots", [](auto& e) { e.meta.slots = limits::kMaxSlots + 1; },
       ErrorCode::kBadField},
      {"too much memory", [](auto& e) { e.meta.ram_mib = std::uint64_t{1} << 32; },
       ErrorCode::kBadField},
      {"a negative cost", [](auto& e) { e.meta.min_cost = -1; }, ErrorCode::kBadField},
      {"a cost that is no number", [](auto& e) { e.meta.min_cost = std::nan(""); },
       ErrorCode::kBadField},
      {"a long gpu type", [&](auto& e) { e.meta.gpu_type = long_name; }, ErrorCode::kBadField},
      {"a long model", [&](auto& e) { e.meta.loaded_models = {long_name}; }, ErrorCode::kBadField},
      {"a model of bytes", [](auto& e) { e.meta.models = {"\xff"}; }, ErrorCode::kMalformed},
      {"too many models", [](auto& e) { e.meta.models.resize(limits::kMaxModels + 1); },
       ErrorCode::kBadField},
      {"too many bytes of models",
       [](auto& e) { e.meta.models.assign(limits::kMaxMetaBytes / 100, std::string(100, 'm')); },
       ErrorCode::kTooLarge}};
  for (const Case& one : cases) {
    INFO(one.what);
    msg::ProviderEntry entry = provider();
    one.spoil(entry);
    CHECK(checked(entry) == one.code);
    CHECK(decoded(entry) == one.code);
  }
}

TEST_CASE("metadata of exactly the limit passes, one byte more does not") {
  msg::ProviderEntry entry = provider();
  entry.meta.models.assign(500, std::string(limits::kMaxNameBytes, 'm'));
  const auto bytes = [&] { return wire::meta_size(entry.meta).bytes; };
  REQUIRE(bytes() < limits::kMaxMetaBytes);
  while (bytes() + 2 + limits::kMaxNameBytes <= limits::kMaxMetaBytes)
    entry.meta.models.emplace_back(limits::kMaxNameBytes, 'm');
  const std::size_t left = limits::kMaxMetaBytes - bytes();
  REQUIRE(left > 34);
  entry.meta.models.emplace_back(left - 2, 'm');
  REQUIRE(bytes() == limits::kMaxMetaBytes);
  CHECK(checked(entry) == ErrorCode::kOk);
  CHECK(decoded(entry) == ErrorCode::kOk);
  entry.meta.models.back() += 'm';
  CHECK(checked(entry) == ErrorCode::kTooLarge);
  CHECK(decoded(entry) == ErrorCode::kTooLarge);
}

TEST_CASE("more assignments than a node may hold are refused, without a frame to read") {
  msg::ProviderEntry entry = provider();
  entry.held.resize(limits::kMaxHeld + 1, entry.held[0]);
  CHECK(checked(entry) == ErrorCode::kTooLarge);
}

TEST_CASE("of a task to submit the checker refuses what the reader would, with its code") {
  const auto spoilt = [](std::string_view text) { return Value(std::string(text)); };
  TaskSpec no_ttl, high_priority, long_model;
  no_ttl.ttl_ms = 0;
  high_priority.priority = limits::kMaxPriority + 1;
  long_model.needs.model.assign(limits::kMaxNameBytes + 1, 'x');
  struct Case {
    const char* what;
    msg::Submit submit;
    ErrorCode code;
  };
  const Case cases[] = {
      {"nothing", submit_of({}, {{"params", ValueMap{{"seed", 7}}}}), ErrorCode::kOk},
      {"no time to live", submit_of(no_ttl, {}), ErrorCode::kBadField},
      {"too high a priority", submit_of(high_priority, {}), ErrorCode::kBadField},
      {"a long model", submit_of(long_model, {}), ErrorCode::kBadField},
      {"params that are no map", submit_of({}, {{"params", 7}}), ErrorCode::kBadField},
      {"a text of bytes", submit_of({}, {{"x", spoilt("\xff")}}), ErrorCode::kMalformed},
      {"a number that is none", submit_of({}, {{"x", std::nan("")}}), ErrorCode::kBadField},
      {"a long key", submit_of({}, {{std::string(129, 'k'), 1}}), ErrorCode::kTooLarge},
      {"a large spec", submit_of({}, {{"x", spoilt(std::string(65'600, 'x'))}}),
       ErrorCode::kTooLarge},
      // The frame, its tasks, the task and the spec stand around it.
      {"as deep as may be", submit_of({}, {{"x", nested(limits::kMaxDepth - 4)}}), ErrorCode::kOk},
      {"too deep", submit_of({}, {{"x", nested(limits::kMaxDepth - 3)}}), ErrorCode::kTooLarge},
      {"no tasks", {1, msg::WatchLevel::kNone, {}}, ErrorCode::kBadField}};
  for (const Case& one : cases) {
    INFO(one.what);
    CHECK(checked(one.submit) == one.code);
    CHECK(decoded(one.submit) == one.code);
  }
}

TEST_CASE("the error names the field") {
  msg::ProviderEntry entry = provider();
  entry.held.push_back({{}, 1, 1});
  const auto problem = wire::problem_in(entry, "provider", 3);
  REQUIRE(problem);
  CHECK(problem->detail == "provider.held[1].task_id: expected 1 to 64 bytes of [A-Za-z0-9._:-]");
}

TEST_CASE("an open map is held to its bytes, its entries and its depth") {
  const auto stats = [](ValueMap map) {
    const msg::Stats message{1, std::move(map)};
    const ErrorCode code = code_of(wire::problem_in(message, "STATS_REPLY", 0));
    CHECK(decoded(message, Direction::kToClient) == code);
    return code;
  };
  ValueMap many;
  for (std::size_t i = 0; i <= limits::kMaxMapEntries; ++i) many["k" + std::to_string(i)] = 1;
  CHECK(stats(many) == ErrorCode::kTooLarge);
  many.erase(many.begin());
  CHECK(stats(many) == ErrorCode::kOk);
  CHECK(stats({{"x", std::string(limits::kMaxInfoBytes - 6, 'x')}}) == ErrorCode::kOk);
  CHECK(stats({{"x", std::string(limits::kMaxInfoBytes - 5, 'x')}}) == ErrorCode::kTooLarge);
  CHECK(stats({{"x", nested(limits::kMaxDepth - 2)}}) == ErrorCode::kOk);
  CHECK(stats({{"x", nested(limits::kMaxDepth - 1)}}) == ErrorCode::kTooLarge);
  CHECK(stats({{"x", INFINITY}}) == ErrorCode::kBadField);
}
