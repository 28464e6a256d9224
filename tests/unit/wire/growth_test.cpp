// Fields that come and go (SPEC.md, "Versions"), on structs of two releases that exist only here.
// What each real message takes from other releases stands in tests/golden/growth.json.
#include <catch2/catch.hpp>

#include "protocol/wire/messages.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace genai::growth {

/// A request as the first release knew it ...
struct Before {
  std::uint64_t number = 0;
  std::vector<AssignmentRef> refs = {};
  std::string reason = "none";

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("number", number);
    ar.list("refs", refs, 0, 10);
    ar.optional();
    ar.text("reason", reason, 100);
  }
};
/// ... and as a later one does.
struct After {
  std::uint64_t number = 0;
  std::vector<AssignmentRef> refs = {};
  std::string reason = "none";
  std::uint8_t priority = 5;
  std::vector<std::string> tags = {};
  double share = 0.5;

  template <class Ar>
  void fields(Ar& ar) {
    ar.uint("number", number);
    ar.list("refs", refs, 0, 10);
    ar.optional();
    ar.text("reason", reason, 100);
    ar.appended();
    ar.uint("priority", priority, 0, 9);
    ar.list("tags", tags, 0, 10);
    ar.real("share", share, 0, 1);
  }
};

namespace {

template <class T>
std::string written(T value) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  wire::Writer::array(packer, value);
  return sink.take();
}

template <class T>
T read(const std::string& bytes) {
  const Blob frame(bytes);
  wire::Source source(frame);
  const wire::Path path{nullptr, "test"};
  T value;
  wire::Reader::read(source, value, wire::Reader::array_size(*source.cursor.next(), path), 0, path);
  CHECK(source.cursor.left() == 0);
  return value;
}

std::size_t elements(const std::string& bytes) { return wire::Cursor(bytes).next()->size; }

const std::vector<AssignmentRef> kRefs = {{*TaskId::parse("t"), 1, 7}};

}  // namespace

TEST_CASE("appended fields that have their defaults are left out") {
  CHECK(written(After{1, kRefs, "why"}) == written(Before{1, kRefs, "why"}));
  // The optional fields of the first release are sent all the same.
  CHECK(elements(written(Before{})) == 3);
}

TEST_CASE("an appended field is sent with all that stand before it") {
  CHECK(elements(written(After{.priority = 6})) == 4);
  CHECK(elements(written(After{.tags = {"a"}})) == 5);
  CHECK(elements(written(After{.share = 0.25})) == 6);
  const After back = read<After>(written(After{.number = 3, .refs = kRefs, .tags = {"a", "b"}}));
  CHECK(back.number == 3);
  CHECK(back.refs == kRefs);
  CHECK(back.priority == 5);
  CHECK(back.tags == std::vector<std::string>{"a", "b"});
  CHECK(back.share == 0.5);
}

TEST_CASE("a newer peer is understood by an older one, and the other way round") {
  const Before before = read<Before>(written(After{9, kRefs, "why", 1, {"tag"}, 1.0}));
  CHECK(before.number == 9);
  CHECK(before.refs == kRefs);
  CHECK(before.reason == "why");
  const After after = read<After>(written(Before{9, kRefs, "why"}));
  CHECK(after.reason == "why");
  CHECK(after.priority == 5);
  CHECK(after.share == 0.5);
}

TEST_CASE("an array may end at any optional field, and no sooner") {
  const std::string head = "\x01\x90", reason = "\xa1x", priority = "\x02", tags = "\x91\xa1t";
  CHECK(read<After>("\x92" + head).reason == "none");
  CHECK(read<After>("\x93" + head + reason).priority == 5);
  CHECK(read<After>("\x94" + head + reason + priority).priority == 2);
  CHECK(read<After>("\x95" + head + reason + priority + tags).share == 0.5);
  CHECK_THROWS_AS(read<After>("\x91\x01"), wire::DecodeError);
  CHECK_THROWS_AS(read<After>("\x90"), wire::DecodeError);
}

TEST_CASE("an optional field that is there is as strict as any") {
  const std::string head = "\x01\x90";
  CHECK_THROWS_AS(read<After>("\x93" + head + "\x07"), wire::DecodeError);       // no text
  CHECK_THROWS_AS(read<After>("\x93" + head + "\xc0"), wire::DecodeError);       // nil
  CHECK_THROWS_AS(read<After>("\x94" + head + "\xa1x\x0a"), wire::DecodeError);  // priority 10
}

TEST_CASE("unknown elements are passed over unread, within the limits of a frame") {
  const auto ping = [](const std::string& unknown, char elements = '\x94') {
    return decode(Blob(elements + std::string("\x01\x39\x09") + unknown), Direction::kFromClient);
  };
  for (const std::string& unknown :
       {std::string("\xc0"), std::string("\xa2\xff\xfe"),
        std::string("\x82\xa1"
                    "a\x01\xa1"
                    "a\x02"),
        std::string("\xcb\x7f\xf8\0\0\0\0\0\0", 9), std::string("\xd4\x05\x78"),
        "\xdc\xff\xff" + std::string(0xffff, '\x90')}) {
    const auto message = ping(unknown);
    INFO((message ? "" : message.error().detail));
    REQUIRE(message);
    CHECK(std::get<msg::Ping>(*message).request == 9);
  }
  CHECK(ping(std::string(11, '\x91') + "\x90").error().code == ErrorCode::kTooLarge);  // too deep
  CHECK(ping("\xdd\xff\xff\xff\xff").error().code == ErrorCode::kTooLarge);
  CHECK(ping("").error().code == ErrorCode::kMalformed);
  CHECK(ping("\xc1").error().code == ErrorCode::kMalformed);
  CHECK(ping("\x01\x02").error().code == ErrorCode::kMalformed);  // bytes after the end
  // So many that they would be refused as a field.
  CHECK(ping(std::string(12, '\x07'), '\x9f'));
}

TEST_CASE("a small payload does not keep what came with it and is not known") {
  const auto submit = [](std::size_t unknown_bytes) {
    const std::string entry = "\x94\xa1t\x80" + std::string("\xc4\x03pic\xc6", 6);
    std::string size(4, '\0');
    for (int i = 0; i < 4; ++i) size[3 - i] = static_cast<char>(unknown_bytes >> (8 * i));
    return Blob("\x95\x01\x28\x01\x01\x91" + entry + size + std::string(unknown_bytes, 'x'));
  };
  const auto shares_its_frame = [&](std::size_t unknown_bytes) {
    const Blob frame = submit(unknown_bytes);
    auto message = decode(frame, Direction::kFromClient);
    REQUIRE(message);
    const Blob payload = std::get<msg::Submit>(*message).tasks.at(0).payload;
    CHECK(payload.view() == "pic");
    return payload.view().data() > frame.view().data() &&
           payload.view().data() < frame.view().data() + frame.size();
  };
  CHECK(shares_its_frame(0));
  CHECK_FALSE(shares_its_frame(1000));
}

TEST_CASE("results of a newer node that cannot be read are named all the same") {
  // [1, 13, [[["t", 1, 1, "new"], 0, {}, data, "new"]], "new"]
  const std::string ref = "\x94\xa1t\x01\x01\xa3new";
  const auto frame = [&](const std::string& data) {
    return Blob("\x94\x01\x0d\x91\x95" + ref + std::string("\x00\x80", 2) + data +
                "\xa3new\xa3new");
  };
  CHECK(decode(frame("\xc4\x01x"), Direction::kFromNode));
  const Blob bad = frame("\xa1x");  // a str for a bin
  CHECK_FALSE(decode(bad, Direction::kFromNode));
  REQUIRE(unreadable_results(bad).size() == 1);
  CHECK(unreadable_results(bad)[0].task_id.view() == "t");
  // Without its data it is none.
  CHECK(
      unreadable_results(Blob("\x93\x01\x0d\x91\x93" + ref + std::string("\x00\x80", 2))).empty());
}

}  // namespace genai::growth
