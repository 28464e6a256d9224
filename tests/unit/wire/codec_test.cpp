// Round trips and damage; the vectors in tests/golden hold the exact bytes.
#include <catch2/catch.hpp>
#include <random>

#include "protocol/base/limits.h"
#include "protocol/wire/messages.h"

using namespace genai;

namespace {

std::mt19937 random_bits(20261123);

std::size_t pick(std::size_t below) { return random_bits() % below; }

std::string random_text(std::size_t max) {
  static const std::vector<std::string> kLetters = {"a", "Z", "0", " ", "\n", "\"", "ä", "€", "😀"};
  std::string text;
  while (text.size() + 4 < max && pick(20)) text += kLetters[pick(kLetters.size())];
  return text;
}
std::string random_bytes(std::size_t max) {
  std::string bytes(pick(max), '\0');
  for (char& c : bytes) c = static_cast<char>(random_bits());
  return bytes;
}
template <class Id>
Id random_id() {
  std::string text(1 + pick(limits::kMaxIdBytes), 'x');
  for (char& c : text) c = "abcXYZ019-_.:"[pick(13)];
  return *Id::parse(text);
}
template <class Id>
Id random_secret() {
  typename Id::Bytes bytes;
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_bits());
  return Id(bytes);
}
Value random_value(int depth) {
  switch (pick(depth > 0 ? 9 : 7)) {
    case 0:
      return Value();
    case 1:
      return Value(pick(2) == 0);
    case 2:
      return Value(static_cast<int>(pick(1000)) - 500);
    case 3:
      return Value(UINT64_MAX - pick(5));
    case 4:
      return Value(static_cast<double>(random_bits()) / 3);
    case 5:
      return Value(random_text(100));
    case 6:
      return Value(Bytes{random_bytes(100)});
    case 7: {
      ValueList list;
      for (auto n = pick(4); n > 0; --n) list.push_back(random_value(depth - 1));
      return Value(list);
    }
    default: {
      ValueMap map;
      for (auto n = pick(4); n > 0; --n) map[random_text(20)] = random_value(depth - 1);
      return Value(map);
    }
  }
}
ValueMap random_map() {
  ValueMap map;
  for (auto n = pick(6); n > 0; --n) map["x" + random_text(20)] = random_value(4);
  return map;
}
AssignmentRef random_ref() {
  return {random_id<TaskId>(), static_cast<std::uint32_t>(1 + pick(1000)), random_bits()};
}
std::vector<AssignmentRef> random_refs(std::size_t min = 0) {
  std::vector<AssignmentRef> refs;
  for (auto n = min + pick(5); n > 0; --n) refs.push_back(random_ref());
  return refs;
}
TaskSpec random_spec() {
  TaskSpec spec;
  spec.needs = {random_text(100), random_text(100), pick(100), pick(100'000), pick(100'000)};
  spec.ttl_ms = 1 + pick(1'000'000);
  spec.max_attempts = static_cast<std::uint32_t>(pick(1000));
  spec.label = random_text(100);
  return make_spec(spec, {{"params", random_map()}});
}
PublicMetaInfo random_meta() {
  PublicMetaInfo meta;
  for (auto n = pick(5); n > 0; --n) meta.models.push_back(random_text(100));
  meta.slots = static_cast<std::uint32_t>(1 + pick(1024));
  meta.min_cost = static_cast<double>(pick(1000)) / 8;
  return meta;
}

/// A message of every shape: nested lists, open maps, payloads, variants.
std::pair<Message, Direction> random_message() {
  switch (pick(8)) {
    case 0:
      return {
          msg::Hello{random_id<NodeId>(), random_secret<SessionId>(), random_meta(), random_refs()},
          Direction::kFromNode};
    case 1:
      return {msg::Assign{{{random_ref(), random_spec(), Blob(random_bytes(1000))}}},
              Direction::kToNode};
    case 2:
      return {msg::Result{
                  {{random_ref(), msg::Outcome(pick(3)), random_map(), Blob(random_bytes(1000))}}},
              Direction::kFromNode};
    case 3:
      return {
          msg::Delta{random_secret<InstanceId>(),
                     random_bits(),
                     {msg::Delta::Joined{{random_secret<SessionId>(), random_id<NodeId>(),
                                          ProviderState(pick(5)), random_meta(), random_refs()}},
                      msg::Delta::StateChanged{random_secret<SessionId>(), ProviderState(pick(5)),
                                               random_text(100)},
                      msg::Delta::Beat{random_secret<SessionId>(), random_refs(), {}}}},
          Direction::kLinkToDispatcher};
    case 4:
      return {msg::Submit{random_bits(),
                          msg::WatchLevel(pick(3)),
                          {{random_id<TaskId>(), random_spec(), Blob(random_bytes(1000))},
                           {random_id<TaskId>(), random_spec(), {}}}},
              Direction::kFromClient};
    case 5:
      return {msg::Tasks{random_bits(), {random_map(), random_map()}, pick(2) == 0},
              Direction::kToClient};
    case 6:
      return {msg::FromNodes{{{random_secret<SessionId>(), Blob(random_bytes(1000))}}},
              Direction::kLinkToDispatcher};
    default:
      return {msg::Update{{{random_id<TaskId>(), TaskStatus(pick(6)), random_text(60),
                            static_cast<double>(pick(101)) / 100, random_text(1000)}}},
              Direction::kToClient};
  }
}

}  // namespace

TEST_CASE("what is encoded decodes to what encodes the same") {
  for (int i = 0; i < 5'000; ++i) {
    const auto [message, direction] = random_message();
    const std::string frame = encode(message);
    auto again = decode(Blob(frame), direction);
    INFO((again ? "" : again.error().detail));
    REQUIRE(again);
    CHECK(again->index() == message.index());
    CHECK(encode(*again) == frame);
  }
}

TEST_CASE("a frame cut anywhere is refused") {
  for (int i = 0; i < 50; ++i) {
    const auto [message, direction] = random_message();
    const std::string frame = encode(message);
    for (std::size_t cut = 0; cut < frame.size(); ++cut) {
      auto damaged = decode(Blob(frame.substr(0, cut)), direction);
      REQUIRE(!damaged);
      CHECK(!damaged.error().detail.empty());
    }
  }
}

TEST_CASE("damaged frames are decoded or refused, never more") {
  std::size_t refused = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto [message, direction] = random_message();
    const std::string frame = encode(message);
    for (int variant = 0; variant < 100; ++variant) {
      std::string damaged = frame;
      for (auto flips = 1 + pick(3); flips > 0; --flips)
        damaged[pick(damaged.size())] = static_cast<char>(random_bits());
      const Blob blob(damaged);
      peek_request(blob.view());
      peek_type(blob.view(), direction);
      auto again = decode(blob, direction);
      refused += !again;
      if (again) CHECK_NOTHROW(encode(*again));
    }
  }
  CHECK(refused > 50'000);
}

TEST_CASE("a frame of more values than the limit is refused before anything is built") {
  const std::string half_full = "\xdc\xff\xff" + std::string(0xffff, '\0');
  std::string many = std::string("\xdc\x00\x81", 3);  // 129 lists of 65535 numbers
  for (int i = 0; i < 0x81; ++i) many += half_full;
  for (const std::string& frame : {"\x93\x01\x39" + many,      // PING
                                   "\x94\x01\x39\x01" + many,  // PING with a field too many
                                   "\x94\x01\x32\x01\x81\xa1p" + many}) {  // in an open map
    auto message = decode(Blob(frame), Direction::kFromClient);
    REQUIRE(!message);
    CHECK(message.error().code == ErrorCode::kTooLarge);
  }
}

TEST_CASE("an open map over its limit is refused, whatever its values are") {
  const std::string numbers = "\xdc\xff\xff" + std::string(0xffff, '\0');
  const std::string text = "\xda\xff\xff" + std::string(0xffff, 'x');
  const std::string bytes = "\xc5\xff\xff" + std::string(0xffff, 'x');
  for (const std::string& value : {numbers, text, bytes}) {
    auto message = decode(Blob("\x94\x01\x32\x01\x81\xa1p" + value), Direction::kFromClient);
    REQUIRE(!message);
    CHECK(message.error().code == ErrorCode::kTooLarge);
    CHECK(message.error().detail.find("LIST.filter") == 0);
  }
}

TEST_CASE("arrays and maps nest twelve deep, the frame included") {
  const auto nested = [](std::size_t depth) {  // frame and filter are the first two
    const std::string frame = "\x94\x01\x32\x01\x81\xa1p" + std::string(depth - 3, '\x91') + "\x90";
    return decode(Blob(frame), Direction::kFromClient);
  };
  CHECK(nested(limits::kMaxDepth));
  auto deeper = nested(limits::kMaxDepth + 1);
  REQUIRE(!deeper);
  CHECK(deeper.error().code == ErrorCode::kTooLarge);
}

TEST_CASE("params of a submitted task nest eight deep, themselves included") {
  const auto nested = [](std::size_t depth) {
    const std::string params = "\x81\xa1p" + std::string(depth - 2, '\x91') + "\x90";
    return decode(Blob("\x95\x01\x28\x01\x01\x91\x93\xa1t\x81\xa6params" + params +
                       std::string("\xc4\x00", 2)),
                  Direction::kFromClient);
  };
  CHECK(nested(8));
  auto deeper = nested(9);
  REQUIRE(!deeper);
  CHECK(deeper.error().code == ErrorCode::kTooLarge);
}

TEST_CASE("a listed key of wrong type is refused by its name, in a spec and in a node's meta") {
  const auto refusal = [](const Message& message, Direction direction) {
    auto decoded = decode(Blob(encode(message)), direction);
    return decoded ? Error{} : decoded.error();
  };
  const Value text("7"), number(7), negative(-7), real(7.5), list(ValueList{Value("a"), Value(1)});
  const std::vector<std::pair<const char*, std::vector<Value>>> of_spec = {
      {"model", {number, list}},
      {"gpu_type", {number}},
      {"ncpu", {text, negative, real}},
      {"ram_mib", {text, real}},
      {"vram_mib", {text, real}},
      {"ttl_ms", {text, real, Value(0)}},
      {"time_limit_ms", {text, real}},
      {"max_attempts", {text, Value(1001)}},
      {"label", {number}},
      {"tenant", {number}},
      {"priority", {text, Value(10)}},
      {"not_before_ms", {text, real, negative}},
      {"deadline_ms", {text, real}},
      {"start_in_ms", {text, real, negative}},
      {"deadline_in_ms", {text, real, negative}},
      {"max_cost", {text, negative}},
      {"time_to_money_ratio", {text, negative}},
      {"work", {text, negative}},
      {"params", {text, number, list}}};
  for (const auto& [key, values] : of_spec)
    for (const Value& value : values) {
      const auto spec = make_spec({}, {{key, value}});
      const Error error =
          refusal(msg::Submit{1, {}, {{*TaskId::parse("t"), spec, {}}}}, Direction::kFromClient);
      INFO(key << ": " << error.detail);
      CHECK(error.code == ErrorCode::kBadField);
      CHECK(error.detail.find("key '" + std::string(key) + "'") != std::string::npos);
    }
  const auto hello = [&](const char* key, const Value& value) {
    const std::string meta = encode_map({{key, value}});
    const std::string frame = "\x96\x01\x01\xa1n\xc4\x10" + std::string(16, 's') + meta + "\x90";
    auto decoded = decode(Blob(frame), Direction::kFromNode);
    return decoded ? Error{} : decoded.error();
  };
  const std::vector<std::pair<const char*, std::vector<Value>>> of_meta = {
      {"slots", {text, Value(0), real, Value()}},
      {"models", {text, list, Value()}},
      {"loaded_models", {text, list}},
      {"gpu_type", {number}},
      {"ncpu", {text, negative}},
      {"ram_mib", {text}},
      {"vram_mib", {text}},
      {"min_cost", {text, negative}}};
  for (const auto& [key, values] : of_meta)
    for (const Value& value : values) {
      const Error error = hello(key, value);
      INFO(key << ": " << error.detail);
      CHECK(error.code == ErrorCode::kBadField);
      CHECK(error.detail.find("key '" + std::string(key) + "'") != std::string::npos);
    }
  CHECK(hello("slots", number).code == ErrorCode::kOk);
  CHECK(hello("colour", Value()).code == ErrorCode::kOk);
}

TEST_CASE("nil is no value for a field or a listed key, and travels under others") {
  const auto refusal = [](const std::string& frame) {
    auto message = decode(Blob(frame), Direction::kFromClient);
    return message ? Error{} : message.error();
  };
  CHECK(refusal("\x93\x01\x39\xc0").code == ErrorCode::kBadField);  // PING.request
  const auto submit = [](const ValueMap& spec) {
    return encode(msg::Submit{1, {}, {{*TaskId::parse("t"), make_spec({}, spec), {}}}});
  };
  CHECK(refusal(submit({{"model", Value()}})).detail.find("key 'model'") != std::string::npos);
  CHECK(refusal(submit({{"work", Value()}})).code == ErrorCode::kBadField);
  CHECK(refusal(submit({{"mine", Value()}})).code == ErrorCode::kOk);
}

TEST_CASE("payloads are views into the frame, not copies") {
  const Blob frame(encode(msg::FromNodes{{{SessionId(), Blob(std::string(1000, 'x'))}}}));
  auto message = decode(frame, Direction::kLinkToDispatcher);
  REQUIRE(message);
  const auto inner = std::get<msg::FromNodes>(*message).parcels.at(0).frame.view();
  CHECK(inner.data() >= frame.view().data());
  CHECK(inner.data() + inner.size() <= frame.view().data() + frame.size());
}

TEST_CASE("keys that this version does not know travel on in the spec") {
  auto spec = make_spec({}, {{"params", ValueMap{{"seed", 7}}}, {"future", "x"}});
  auto again = decode(Blob(encode(msg::Submit{1, {}, {{*TaskId::parse("t"), spec, {}}}})),
                      Direction::kFromClient);
  REQUIRE(again);
  auto map = decode_map(std::get<msg::Submit>(*again).tasks.at(0).spec.raw);
  REQUIRE(map);
  CHECK(get_string(*map, "future") == "x");
  CHECK(get_uint(get_map(*map, "params"), "seed") == 7);
}

TEST_CASE("params that are no map are refused where a task is submitted, and nowhere else") {
  for (const Value& params :
       {Value("seed=7"), Value(7), Value(ValueList{Value("seed"), Value(7)}), Value()}) {
    const auto spec = make_spec({}, {{"params", params}});
    const auto refused = decode(Blob(encode(msg::Submit{1, {}, {{*TaskId::parse("t"), spec, {}}}})),
                                Direction::kFromClient);
    REQUIRE(!refused);
    CHECK(refused.error().code == ErrorCode::kBadField);
    CHECK(refused.error().detail == "SUBMIT.tasks[0].spec: key 'params': expected a map");
    // What an earlier version has accepted reaches its node.
    CHECK(decode(Blob(encode(msg::Assign{{{{*TaskId::parse("t"), 1, 1}, spec, {}}}})),
                 Direction::kToNode));
    CHECK(decode_spec(spec.raw));
  }
}

TEST_CASE("a map is in the order of its keys, however they came, and has each once") {
  const auto map = decode_map(
      "\x83\xa1"
      "b\x01\xa1"
      "a\x02\xa2"
      "aa\x03");
  REQUIRE(map);
  CHECK(*map == ValueMap{{"a", 2}, {"aa", 3}, {"b", 1}});
  CHECK(encode_map(*map) ==
        "\x83\xa1"
        "a\x02\xa2"
        "aa\x03\xa1"
        "b\x01");
  for (const char* twice : {"\x82\xa1"
                            "a\x01\xa1"
                            "a\x02",
                            "\x83\xa1"
                            "b\x01\xa1"
                            "a\x02\xa1"
                            "b\x03"}) {
    const auto refused = decode_map(twice);
    REQUIRE(!refused);
    CHECK(refused.error().code == ErrorCode::kMalformed);
    CHECK(refused.error().detail.find("duplicate key") != std::string::npos);
  }
}

TEST_CASE("a whole float in an open map stays a float") {
  for (const double number : {7.0, -524'286.0, 0.0, 18446744073709551616.0}) {
    const ValueMap map{{"cfg", number}};
    const auto back = decode_map(encode_map(map));
    REQUIRE(back);
    CHECK(*back == map);
  }
}

TEST_CASE("the same spec in another order of keys is the same content") {
  // {"label":"a","model":"b"} and the other way round
  const std::string one =
      "\x82\xa5label\xa1"
      "a\xa5model\xa1"
      "b";
  const std::string two =
      "\x82\xa5model\xa1"
      "b\xa5label\xa1"
      "a";
  const auto raw_of = [](const std::string& spec) {
    const std::string frame =
        "\x95\x01\x28\x01\x01\x91\x93\xa1t" + spec + std::string("\xc4\x00", 2);
    auto message = decode(Blob(frame), Direction::kFromClient);
    REQUIRE(message);
    return std::get<msg::Submit>(*message).tasks.at(0).spec.raw;
  };
  CHECK(raw_of(one) == raw_of(two));
  // Numbers may have any width; an integer is not the float of the same value.
  const std::string seven =
                        "\x81\xa3"
                        "cfg",
                    narrow = "\x07";
  const std::string wide("\xcd\x00\x07", 3), real("\xcb\x40\x1c\x00\x00\x00\x00\x00\x00", 9),
      short_real("\xca\x40\xe0\x00\x00", 5);
  CHECK(raw_of(seven + narrow) == raw_of(seven + wide));
  CHECK(raw_of(seven + real) == raw_of(seven + short_real));
  CHECK(raw_of(seven + narrow) != raw_of(seven + real));
}

TEST_CASE("the head tells type and request without the rest") {
  const std::string frame = encode(msg::Ping{42});
  CHECK(peek_type(frame, Direction::kFromClient).value() == 57);
  CHECK(peek_request(frame) == 42);
  CHECK(peek_request(std::string("\x94\x01\x28\x2a\xff", 5)) == 42);  // broken behind
  CHECK(!peek_type(frame, Direction::kFromNode));
  const std::string wide = std::string("\xdd\x00\x00\x00\x03", 5) + frame.substr(1);
  CHECK(peek_type(wide, Direction::kFromClient).value() == 57);
  CHECK(decode(Blob(wide), Direction::kFromClient));
  CHECK(peek_request("") == 0);
}

TEST_CASE("what our own code may not send is caught before it leaves") {
  CHECK_THROWS_AS(encode(msg::Bye{std::string(5'000, 'x')}), std::length_error);
  CHECK_THROWS_AS(encode(msg::DeliverAck{std::vector<TaskId>(5'000, *TaskId::parse("t"))}),
                  std::length_error);
}

TEST_CASE("a spec goes on in canonical form, and as it came when it came so") {
  const auto decoded = [](const std::string& spec) {
    const std::string head("\x95\x01\x28\x01\x01\x91\x93\xa1t", 9);
    return decode(Blob(head + spec + std::string("\xc4\x00", 2)), Direction::kFromClient);
  };
  const std::string canonical = encode_map(
      {{"a", ValueList{Value(1), Value(-33), Value(300), Value(1.0), Value(true), Value()}},
       {"label", "x"},
       {"z", Value(Bytes{"raw"})}});
  const std::vector<std::string> forms = {
      canonical,
      // Long forms of the numbers and of the text, another order, a float of 4 bytes.
      std::string("\x83\xa1z\xc5\x00\x03raw\xd9\x05label\xa1x", 18) +
          std::string(
              "\xa1\x61\xdc\x00\x06\xcd\x00\x01\xd2\xff\xff\xff\xdf\xce\x00\x00\x01\x2c\xca\x3f\x80"
              "\x00\x00\xc3\xc0",
              25)};
  for (const std::string& form : forms) {
    auto message = decoded(form);
    INFO((message ? "" : message.error().detail));
    REQUIRE(message);
    const TaskSpec& spec = std::get<msg::Submit>(*message).tasks.at(0).spec;
    CHECK(spec.raw == canonical);
    CHECK(spec.label == "x");
  }
}

TEST_CASE("the assignments of a frame are counted by its heads alone") {
  const auto assign = [](std::size_t entries) {
    return encode(
        msg::Assign{std::vector<msg::Assignment>(entries, {{*TaskId::parse("t"), 1, 1}, {}, {}})});
  };
  for (const std::size_t entries : {1, 15, 16, 4096})
    CHECK(count_assignments(assign(entries)) == entries);
  CHECK(count_assignments(encode(msg::Keep{{{*TaskId::parse("t"), 1, 1}}})) == 0);
  const std::string whole = assign(1);
  for (std::size_t bytes = 0; bytes < 4; ++bytes)
    CHECK(count_assignments(whole.substr(0, bytes)) == 0);
  CHECK(count_assignments("junk") == 0);
  CHECK(count_assignments("\x92\x01\x0a") == 0);      // no entries
  CHECK(count_assignments("\x93\x01\x0a\xc0") == 0);  // no array
}

TEST_CASE("the values of a frame are counted as they stand") {
  CHECK(count_values(encode(msg::Ping{1})).value() == 3);
  CHECK(count_values("\x81\xa1p\x92\x01\x90").value() == 4);
  CHECK(count_values("\x92\x01").error().code == ErrorCode::kMalformed);
  CHECK(count_values("\x01\x01").error().code == ErrorCode::kMalformed);
}
