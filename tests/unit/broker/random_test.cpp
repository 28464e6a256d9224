// Random events on virtual time. World checks the invariants and decodes everything after each; a
// dispatcher that applies snapshots and deltas must always know exactly what the broker knows.
#include <map>
#include <random>

#include "tests/unit/broker/world.h"

namespace genai::broker::test {
namespace {

class Story {
 public:
  explicit Story(std::uint32_t seed) : random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      follow();
    }
    settle();
  }

 private:
  std::uint32_t pick(std::uint32_t count) { return static_cast<std::uint32_t>(random_() % count); }
  std::string peer() { return "p" + std::to_string(pick(12)); }
  std::string node() { return "n" + std::to_string(pick(6)); }
  std::uint8_t session() { return static_cast<std::uint8_t>(1 + pick(9)); }
  std::vector<AssignmentRef> held() {
    std::vector<AssignmentRef> refs(pick(3), ref_of("t"));
    return refs;
  }

  void step() {
    switch (pick(14)) {
      case 0:
      case 1:
        world_.node(peer(), hello(node(), session(), held()));
        break;
      case 2:
      case 3:
        world_.node(peer(), msg::Heartbeat{1, held(), {}});
        break;
      case 4:
        world_.node_bytes(peer(), result_frame("t"));
        break;
      case 5:
        world_.node(peer(), msg::Leave{"x"});
        break;
      case 6:
        world_.node(peer(), msg::Bye{"x"});
        break;
      case 7:
        world_.node_bytes(peer(), garbage());
        break;
      case 8:
        world_.link_bytes(link_peer(), garbage());
        break;
      case 9:
        world_.dispatcher(link_peer(), msg::LinkHello{id_of<InstanceId>(1), pick(3)});
        break;
      case 10:
        world_.dispatcher(link_peer(), msg::LinkHeartbeat{id_of<InstanceId>(1), 0});
        break;
      case 11:
        send_parcel();
        break;
      case 12:
        world_.pass(pick(1500));
        break;
      default:
        if (pick(10) == 0) world_.stall(pick(20'000));
        world_.expire();
    }
  }

  std::string link_peer() { return "d" + std::to_string(pick(2)); }

  Blob garbage() {
    std::string bytes = encode(hello(node(), session(), held()));
    bytes.resize(pick(static_cast<std::uint32_t>(bytes.size())));
    if (!bytes.empty()) bytes[pick(static_cast<std::uint32_t>(bytes.size()))] ^= 0x55;
    return Blob(bytes);
  }

  void send_parcel() {
    const Blob frame(std::string("x"));
    world_.dispatcher(link_peer(), msg::ToNodes{{{session_of(session()), frame}}});
    const auto outputs = world_.raw_to_nodes;
    for (const NodeOutput& output : outputs)
      if (pick(2) == 0)
        world_.tell(
            Undeliverable{output, pick(2) == 0 ? ErrorCode::kPeerFull : ErrorCode::kUnreachable});
  }

  /// Applies what came over the link, as a dispatcher does.
  void follow() {
    for (; !world_.link.empty(); world_.link.pop_front()) {
      const auto& [peer, message] = world_.link.front();
      if (const auto* snapshot = std::get_if<msg::Snapshot>(&message)) {
        follower_ = peer;
        seq_ = snapshot->seq;
        known_.clear();
        for (const auto& entry : snapshot->providers) known_[entry.session] = entry;
      } else if (const auto* delta = std::get_if<msg::Delta>(&message)) {
        REQUIRE(peer == follower_);
        REQUIRE(delta->seq == ++seq_);
        for (const auto& change : delta->changes)
          std::visit([&](const auto& kind) { apply(kind); }, change);
      } else if (const auto* parcels = std::get_if<msg::FromNodes>(&message)) {
        REQUIRE(peer == follower_);
        for (const auto& parcel : parcels->parcels) REQUIRE(known_.contains(parcel.session));
      } else if (const auto* beat = std::get_if<msg::LinkHeartbeat>(&message)) {
        REQUIRE(beat->seq == seq_);
      }
    }
  }

  void apply(const msg::Delta::Joined& joined) {
    // It takes the place of a session that was not lost.
    std::erase_if(
        known_, [&](const auto& known) { return known.second.node_id == joined.provider.node_id; });
    known_[joined.provider.session] = joined.provider;
  }
  void apply(const msg::Delta::StateChanged& changed) {
    REQUIRE(known_.contains(changed.session));
    if (changed.state >= ProviderState::kLost)
      known_.erase(changed.session);
    else
      known_[changed.session].state = changed.state;
  }
  void apply(const msg::Delta::Beat& beat) {
    REQUIRE(known_.contains(beat.session));
    known_[beat.session].held = beat.held;
    known_[beat.session].meta.loaded_models = beat.loaded_models;
  }

  void settle() {
    world_.expire();
    follow();
    const msg::Snapshot truth = world_.core.snapshot(world_.now);
    if (world_.core.has_dispatcher()) {
      REQUIRE(known_.size() == truth.providers.size());
      msg::Snapshot seen = truth;
      seen.providers.clear();
      for (const auto& [id, entry] : known_) seen.providers.push_back(entry);
      CHECK(encode(seen) == encode(truth));
    }
    world_.pass(10'000);
    CHECK(world_.providers() == 0);  // nobody speaks any more: nobody stays
  }

  std::mt19937 random_;
  World world_{8};
  std::string follower_;
  std::uint64_t seq_ = 0;
  std::map<SessionId, msg::ProviderEntry> known_;
};

}  // namespace

TEST_CASE("random events keep the invariants, and a follower of the link knows all") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Story(seed).run(500);
  }
}

}  // namespace genai::broker::test
