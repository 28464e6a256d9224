// Whatever comes, from whichever side, the core stays as it was.
#include <random>

#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using genai::dispatcher::test::World;

namespace {

/// Valid frames of all directions, as material for damage.
std::vector<std::string> valid_frames() {
  return {
      encode(msg::Submit{1, msg::WatchLevel::kResult, {World::submission("x")}}),
      encode(msg::Cancel{1, {*TaskId::parse("x")}}),
      encode(msg::List{1, {{"status", "Sent"}}}),
      encode(msg::Result{{{{*TaskId::parse("x"), 1, 7}, msg::Outcome::kOk, {}, Blob("d")}}}),
      encode(msg::Delta{World::broker_id(0), 99, {msg::Delta::Joined{World::entry(5)}}}),
      encode(msg::FromNodes{{{World::session(1), Blob("junk")}}}),
  };
}

}  // namespace

TEST_CASE("malformed client frames get a coded error and change nothing") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  std::size_t answered = 0;
  for (std::string frame : valid_frames()) {
    for (std::size_t cut = 0; cut < frame.size(); cut += 3) {
      w.core.handle(ClientFrame{"evil", Identity::anyone(), Blob(frame.substr(0, cut))}, w.now);
      w.core.handle(
          ClientFrame{"evil", Identity::anyone(), Blob(frame + std::string(cut + 1, '\0'))}, w.now);
      w.step();
      for (auto& error : w.take_to_client<msg::ErrorReply>("evil")) {
        CHECK(error.code != ErrorCode::kOk);
        CHECK(!error.detail.empty());
        ++answered;
      }
    }
  }
  CHECK(answered > 100);
  CHECK(w.core.tasks().size() == 1);
  CHECK(w.core.providers().size() == 1);
}

TEST_CASE("a malformed frame of a node is answered and blamed on nobody else") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  w.take_only_assigned();
  w.link(msg::FromNodes{{{World::session(1), Blob("\xc1")}}});
  w.step();
  REQUIRE(w.to_nodes.size() == 1);
  CHECK(std::get<msg::ErrorReply>(w.to_nodes[0].message).code == ErrorCode::kMalformed);
  CHECK(w.status("t") == TaskStatus::kScheduled);
}

TEST_CASE("the request number of a frame that does not decode comes back with the error") {
  World w;
  w.snapshot();
  w.core.handle(ClientFrame{"c", Identity::anyone(), Blob(std::string("\x94\x01\x28\x2a\xff", 5))},
                w.now);
  w.step();
  auto errors = w.take_to_client<msg::ErrorReply>("c");
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].request == 42);
}

TEST_CASE("random damage on every socket leaves the core whole") {
  World w;
  w.snapshot({World::entry(1)});
  w.submit("t");
  std::mt19937 random(4711);
  const auto frames = valid_frames();
  for (int i = 0; i < 20'000; ++i) {
    std::string frame = frames[random() % frames.size()];
    for (auto flips = random() % 4 + 1; flips > 0; --flips)
      frame[random() % frame.size()] = static_cast<char>(random());
    if (random() % 2) {
      w.core.handle(ClientFrame{"evil", Identity::anyone(), Blob(frame)}, w.now);
    } else if (random() % 2) {
      w.core.handle(LinkFrame{0, Blob(frame)}, w.now);
    } else {
      w.link(msg::FromNodes{{{World::session(1), Blob(frame)}}});
    }
    if (i % 100 == 0) w.step();
    w.to_clients.clear();
    w.to_nodes.clear();
  }
  w.step();
  CHECK(w.core.tasks().knows(*TaskId::parse("t")));
}

TEST_CASE("only a SUBMIT may be larger than 1 MiB, and what is refused costs by its size") {
  World w;
  w.snapshot();
  const auto answers = [&](const std::string& peer, const std::string& frame) {
    w.core.handle(ClientFrame{peer, Identity::anyone(), Blob(frame)}, w.now);
    w.step();
    return w.take_to_client<msg::ErrorReply>(peer);
  };
  std::string list = encode(msg::List{1, {}});
  list.resize(limits::kMaxControlFrameBytes + 1, '\0');
  CHECK(answers("c", list).at(0).code == ErrorCode::kTooLarge);
  CHECK(answers("d", list.substr(0, limits::kMaxControlFrameBytes)).at(0).code ==
        ErrorCode::kMalformed);  // read, and bytes are left over
  std::string submit = encode(msg::Submit{7, msg::WatchLevel::kResult, {World::submission("x")}});
  submit.resize(21u << 20, '\0');
  for (int i = 0; i < 5; ++i)  // of 22,000 units each: a second's worth, and one second of debt
    CHECK(answers("e", submit).at(0).code == ErrorCode::kMalformed);
  const auto told = answers("e", submit);
  CHECK(told.at(0).code == ErrorCode::kSlowDown);
  CHECK(told.at(0).request == 7);
  CHECK(w.core.tasks().size() == 0);
}
