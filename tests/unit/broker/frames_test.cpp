// Frames that nobody should send.
#include "protocol/base/limits.h"
#include "tests/unit/broker/world.h"

namespace genai::broker::test {
namespace {

using namespace std::string_literals;

struct BadFrame {
  const char* what;
  std::string bytes;
};

std::string head(std::uint8_t elements, std::uint8_t version, std::uint8_t type) {
  return {static_cast<char>(0x90 | elements), static_cast<char>(version), static_cast<char>(type)};
}

/// Bad on every socket; `type` is a type that the socket takes, with `arity` elements in all.
std::vector<BadFrame> bad_frames(std::uint8_t type, std::uint8_t arity) {
  const std::string good = head(arity, 1, type);
  const auto fill = [&](const std::string& item) {
    std::string frame = good;
    for (int i = 2; i < arity; ++i) frame += item;
    return frame;
  };
  return {
      {"empty", ""},
      {"one zero", "\0"s},
      {"text", "GET / HTTP/1.1\r\n\r\n"},
      {"all ones", std::string(64, '\xff')},
      {"nil", "\xc0"},
      {"a map", "\x81\x01\x01"},
      {"an empty array", "\x90"},
      {"version only", "\x91\x01"},
      {"version 0", head(arity, 0, type)},
      {"version 2", head(arity, 2, type)},
      {"version as text",
       "\x92\xa1"
       "1"s +
           static_cast<char>(type)},
      {"negative version", head(arity, 0xff, type)},
      {"type as nil", "\x92\x01\xc0"},
      {"negative type", head(arity, 1, 0xff)},
      {"type as float", "\x92\x01\xcb\0\0\0\0\0\0\0\0"s},
      {"unknown type", head(2, 1, 126)},
      {"huge type", "\x92\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
      {"a type of another socket", head(2, 1, 40)},
      {"cut after the head", good},
      {"too few elements", head(2, 1, type)},
      {"too many elements", head(15, 1, type) + std::string(13, '\xc0')},
      {"nils as fields", fill("\xc0")},
      {"floats as fields", fill("\xcb\x7f\xf8\0\0\0\0\0\0"s)},
      {"negative numbers as fields", fill("\xff")},
      {"extension types as fields", fill("\xd4\x01\x00"s)},
      {"a claim of four billion entries", good + "\xdd\xff\xff\xff\xff"},
      {"a claim of four billion bytes", good + "\xc6\xff\xff\xff\xff"},
      {"nested too deep", good + std::string(500, '\x91') + "\xc0"},
      {"bytes after the end", fill("\xc0") + "\xc0"},
      {"reserved byte", good + "\xc1"},
  };
}

}  // namespace

TEST_CASE("malformed frames on the nodes' socket change nothing and are answered with a code") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1, {ref_of("t")}));
  world.expire();
  world.link.clear();
  const auto before = fingerprint(world.core, world.now);
  const std::uint8_t hello_type = 1, beat_type = 3;
  auto frames = bad_frames(hello_type, 6);
  for (auto& frame : bad_frames(beat_type, 5)) frames.push_back(std::move(frame));
  REQUIRE(frames.size() >= 40);
  std::uint64_t count = 0;
  for (const char* peer : {"a", "stranger"}) {
    for (const BadFrame& frame : frames) {
      INFO(peer << ": " << frame.what);
      const auto error = only<msg::ErrorReply>(world.node_bytes(peer, Blob(frame.bytes)));
      CHECK(error.code >= ErrorCode::kMalformed);
      CHECK(error.code <= ErrorCode::kUnknownSession);
      CHECK(!error.detail.empty());
      count += error.code != ErrorCode::kUnknownSession;
      world.expire();
      CHECK(world.link.empty());
      CHECK(fingerprint(world.core, world.now) == before);
    }
  }
  CHECK(world.metric("malformed_nodes_total") == count);
  only<msg::HeartbeatReply>(world.node("a", msg::Heartbeat{1, {}, {}}));
}

TEST_CASE("malformed frames on the link change nothing and are answered with a code") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.expire();
  world.link.clear();
  const auto before = fingerprint(world.core, world.now);
  const std::uint8_t hello_type = 20, to_nodes_type = 24;
  auto frames = bad_frames(hello_type, 4);
  for (auto& frame : bad_frames(to_nodes_type, 3)) frames.push_back(std::move(frame));
  for (const char* peer : {"D", "stranger"}) {
    for (const BadFrame& frame : frames) {
      INFO(peer << ": " << frame.what);
      CHECK(world.link_bytes(peer, Blob(frame.bytes)).empty());
      const auto code = world.next_link<msg::ErrorReply>(peer).code;
      CHECK(code >= ErrorCode::kMalformed);
      CHECK(code <= ErrorCode::kUnknownSession);
      CHECK(world.link.empty());
      CHECK(fingerprint(world.core, world.now) == before);
      CHECK(world.core.has_dispatcher());
    }
  }
  world.node("a", msg::Leave{""});
  world.expire();
  world.next_link<msg::Delta>();
}

TEST_CASE("an ERROR is never answered, not even a broken one") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  world.expire();
  world.link.clear();
  const Blob good = blob_of(msg::ErrorReply{0, ErrorCode::kMalformed, "x"});
  const Blob broken(head(2, 1, 99));
  for (const Blob& frame : {good, broken}) {
    for (const char* peer : {"a", "stranger"}) CHECK(world.node_bytes(peer, frame).empty());
    for (const char* peer : {"D", "stranger"}) CHECK(world.link_bytes(peer, frame).empty());
  }
  CHECK(world.link.empty());
  CHECK(world.metric("errors_received_total") == 6);
  CHECK(world.metric("malformed_nodes_total") == 1);
  CHECK(world.metric("malformed_link_total") == 1);
}

TEST_CASE("a frame that a link message cannot wrap is refused") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  std::string frame = head(3, 1, 13);
  frame.resize(limits::kMaxFrameBytes + 1);
  CHECK(only<msg::ErrorReply>(world.node_bytes("a", Blob(std::move(frame)))).code ==
        ErrorCode::kTooLarge);
}

TEST_CASE("a flood of garbage is answered and noticed at a limited rate, and counted in full") {
  World world;
  std::size_t answers = 0;
  for (int i = 0; i < 5000; ++i)
    answers += world.node_bytes(std::to_string(i % 50), Blob("junk"s)).size();
  CHECK(answers == Core::kMaxErrorRepliesPerSecond);
  CHECK(world.metric("malformed_nodes_total") == 5000);
  CHECK(world.metric("unanswered_total") == 5000 - answers);
  CHECK(world.notes.size() == 1);
  world.pass(1000);
  world.notes.clear();
  CHECK(world.node_bytes("x", Blob("junk"s)).size() == 1);
  REQUIRE(world.notes.size() == 1);
  CHECK(world.notes[0].text == line::kMalformedNode.text);
  CHECK(uint_in(world.notes[0], "count") == 5000);
}

TEST_CASE("one sender of garbage leaves the others their answers, and is still noticed") {
  World world;
  for (int i = 0; i < 5000; ++i) world.node_bytes("greedy", Blob("junk"s));
  CHECK(world.metric("malformed_nodes_total") == 5000);
  CHECK(world.noted(line::kMalformedNode) == 1);
  CHECK(only<msg::ErrorReply>(world.node_bytes("mistaken", Blob("junk"s))).code ==
        ErrorCode::kMalformed);
}

TEST_CASE("a connection may say HELLO so often in a second, and no other is held to it") {
  World world;
  world.connect_dispatcher();
  std::size_t welcomed = 0, told = 0;
  for (int i = 0; i < 1000; ++i)
    for (const auto& sent : world.node("greedy", hello("n1", 1)))
      if (const auto* error = std::get_if<msg::ErrorReply>(&sent.message))
        told += error->code == ErrorCode::kSlowDown;
      else
        ++welcomed;
  CHECK(welcomed >= 100);
  CHECK(welcomed <= 101);
  CHECK(told == 0);  // a refusal would be paid from the same budget
  only<msg::Welcome>(world.node("modest", hello("n2", 2)));
  only<msg::HeartbeatReply>(world.node("modest", msg::Heartbeat{1, {}, {}}));
  world.pass(1000);
  only<msg::HeartbeatReply>(world.node("greedy", msg::Heartbeat{1, {}, {}}));
}

TEST_CASE("a node that says more than it may is not silent") {
  World world(100, {.heartbeat = from_ms(10), .suspect = from_ms(30), .lost = from_ms(50)});
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  msg::Heartbeat beat{0, {}, {}};  // worth 80 ms of what it may say
  for (int i = 0; i < 4000; ++i) {
    beat.held.push_back(ref_of("t" + std::to_string(i)));
    beat.loaded_models.push_back("m" + std::to_string(i));
  }
  std::size_t answered = 0;
  for (int i = 0; i < 100; ++i) {
    world.pass(10);
    answered += world.node("a", beat).size();
  }
  CHECK(answered < 30);
  CHECK(world.noted(line::kNodeSuspect) == 0);
  CHECK(world.providers() == 1);
}

TEST_CASE("another connection, or another's under its routing id, is no sign of a node's life") {
  const auto key_of = [](const std::string& key, const char* node) {
    return Identity{.kind = Identity::Kind::kNode, .key = key, .node = node_of(node)};
  };
  World world;
  world.who = key_of("k1", "n1");
  world.node("a", hello("n1", 1));
  for (int i = 0; i < 6; ++i) {
    world.pass(1000);
    world.who = key_of("k1", "n1");
    CHECK(only<msg::ErrorReply>(world.node("b", msg::Heartbeat{1, {}, {}})).code ==
          ErrorCode::kUnknownSession);
    world.who = key_of("k2", "n2");
    CHECK(only<msg::ErrorReply>(world.node("a", msg::Heartbeat{1, {}, {}})).code ==
          ErrorCode::kUnknownSession);
  }
  CHECK(world.providers() == 0);
}

TEST_CASE("all connections of a key share what it may say") {
  World world;
  world.connect_dispatcher();
  world.who = {.kind = Identity::Kind::kNode, .key = "k1", .node = node_of("n1")};
  std::size_t welcomed = 0;
  for (int i = 0; i < 1000; ++i) welcomed += world.node(std::to_string(i), hello("n1", 1)).size();
  CHECK(welcomed >= 100);
  CHECK(welcomed <= 101);
  CHECK(world.node_bytes("another", Blob("junk"s)).empty());
  world.who = {.kind = Identity::Kind::kNode, .key = "k2", .node = node_of("n2")};
  only<msg::Welcome>(world.node("another", hello("n2", 2)));
}

TEST_CASE("a message of membership that is larger than any can be is not read") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  std::string frame = encode(msg::Leave{"why"});
  frame.resize(limits::kMaxControlFrameBytes, '\0');
  CHECK(only<msg::ErrorReply>(world.node_bytes("a", Blob(frame))).code == ErrorCode::kMalformed);
  world.pass(2000);
  CHECK(only<msg::ErrorReply>(world.node_bytes("b", Blob(frame + '\0'))).code ==
        ErrorCode::kUnknownSession);
  CHECK(only<msg::ErrorReply>(world.node_bytes("a", Blob(frame + '\0'))).code ==
        ErrorCode::kTooLarge);
}

TEST_CASE("who has sent what is costly to read is not read for a while, and others are") {
  World world;
  world.connect_dispatcher();
  world.node("greedy", hello("n1", 1));
  world.node("modest", hello("n2", 2));
  world.expire();
  world.link.clear();
  msg::Result result;
  result.entries.push_back({ref_of("t"), msg::Outcome::kOk, {}, {}});
  result.entries.back().info["x"] = ValueList(20'000);
  std::size_t passed = 0;
  const auto parcels = [&] {
    world.expire();
    passed = 0;
    for (const auto& sent : world.link)
      if (const auto* from = std::get_if<msg::FromNodes>(&sent.message))
        passed += from->parcels.size();
    world.link.clear();
  };
  for (int i = 0; i < 200; ++i) world.node("greedy", result);
  parcels();
  CHECK(passed >= 50);  // of 20,000 values each
  CHECK(passed <= 51);
  CHECK(world.provider(1).state == ProviderState::kOnline);
  world.node("modest", result);
  parcels();
  CHECK(passed == 1);
  world.pass_with_beats(1000, {"greedy", "modest"});
  world.link.clear();
  world.node("greedy", result);
  parcels();
  CHECK(passed == 1);
}

TEST_CASE("what a node says of its assignments costs nothing, and a flood of other results does") {
  World world;
  world.connect_dispatcher();
  const msg::Result result{{{ref_of("t"), msg::Outcome::kOk, {{"run_ms", 1u}}, {}}}};
  // How many frames of a node are passed on when it says all this of each of `tasks` tasks.
  const auto passed = [&](const std::string& node, std::uint8_t session, int tasks,
                          bool is_assigned) {
    world.node(node, hello(node, session));
    std::size_t frames = 0;
    for (int i = 0; i < tasks; ++i) {
      if (is_assigned)
        world.dispatcher(
            "D",
            msg::ToNodes{{{session_of(session), blob_of(msg::Assign{{{ref_of("t"), {}, {}}}})}}});
      world.node(node, msg::AssignAck{{{ref_of("t"), ErrorCode::kOk, ""}}});
      world.node(node, msg::Progress{{{ref_of("t"), 0.5, "half way"}}});
      world.node(node, result);
      world.expire();
      for (const auto& sent : std::exchange(world.link, {}))
        if (const auto* from = std::get_if<msg::FromNodes>(&sent.message))
          frames += from->parcels.size();
    }
    return frames;
  };
  CHECK(passed("honest", 1, 100'000, true) == 300'000);
  CHECK(world.metric("malformed_nodes_total") == 0);
  const std::size_t of_flood = passed("liar", 2, 100'000, false);
  CHECK(of_flood >= 40'000);
  CHECK(of_flood <= 50'000);
  CHECK(world.metric("malformed_nodes_total") == 300'000 - of_flood);
  CHECK(passed("honest", 1, 1, true) == 3);
}

TEST_CASE("what is prepaid by assignments is no more than those that a node can hold") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  const Blob assign = blob_of(
      msg::Assign{std::vector<msg::Assignment>(limits::kMaxBatchEntries, {ref_of("t"), {}, {}})});
  for (int i = 0; i < 100; ++i) world.dispatcher("D", msg::ToNodes{{{session_of(1), assign}}});
  const Blob result = result_frame("t");
  std::size_t refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t before = world.metric("malformed_nodes_total");
    world.core.handle(NodeFrame{{"a", world.who}, result}, world.now);
    refused += world.metric("malformed_nodes_total") - before;
  }
  const std::size_t passed = 200'000 - refused;
  CHECK(passed <= (limits::kMaxAskedPerSecond + 8 * limits::kMaxHeld) / 2 + 1);
  CHECK(passed > limits::kMaxAskedPerSecond / 2);
}

TEST_CASE("fields that are not known are paid for by their bytes") {
  World world;
  world.connect_dispatcher();
  world.node("greedy", hello("n1", 1));
  world.node("modest", hello("n2", 2));
  // HEARTBEAT with a field of 1,000,000 bytes behind its own.
  const Blob beat("\x96\x01\x03\x01\x90\x90\xdb\x00\x0f\x42\x40"s + std::string(1'000'000, 'x'));
  std::size_t answered = 0;
  for (int i = 0; i < 200; ++i) answered += world.node_bytes("greedy", beat).size();
  CHECK(answered >= 99);  // a second's worth, less what HELLO costs
  CHECK(answered <= 101);
  CHECK(world.provider(1).state == ProviderState::kOnline);
  only<msg::HeartbeatReply>(world.node_bytes("modest", beat));
}

TEST_CASE("results that are large and honest pass at 200 MiB a second") {
  World world;
  world.connect_dispatcher();
  world.node("a", hello("n1", 1));
  msg::Result result;
  result.entries.push_back({ref_of("t"), msg::Outcome::kOk, {}, Blob(std::string(20u << 20, 'x'))});
  const Blob frame = blob_of(result);
  std::size_t refused = 0;
  for (int i = 0; i < 9; ++i) refused += world.node_bytes("a", frame).size();
  CHECK(refused == 0);
}

TEST_CASE("what was no message is answered") {
  World world;
  world.tell(MalformedNode{{"x", world.who}});
  CHECK(only<msg::ErrorReply>(world.expire()).code == ErrorCode::kMalformed);
  world.tell(MalformedLink{{"x", world.who}});
  world.expire();
  CHECK(world.next_link<msg::ErrorReply>("x").code == ErrorCode::kMalformed);
}

}  // namespace genai::broker::test
