#include "broker/link_outbox.h"
#include "protocol/base/limits.h"
#include "tests/unit/broker/world.h"

namespace genai::broker::test {
namespace {

Message link_message(const LinkOutput& output) {
  const auto message = decode(Blob(output.frame), Direction::kLinkToDispatcher);
  REQUIRE(message);
  return *message;
}

msg::ProviderEntry large_entry(std::uint32_t n) {
  SessionId::Bytes bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(n >> (24 - 8 * i));
  msg::ProviderEntry entry{SessionId(bytes), node_of("n" + std::to_string(n)), {}, {}, {}};
  entry.meta.models.assign(480, std::string(128, 'm'));
  return entry;
}

}  // namespace

TEST_CASE("batches close at their limits in entries and bytes") {
  Metrics metrics;
  LinkOutbox outbox(id_of<InstanceId>(1), metrics);
  outbox.connect("D", {}, 0);
  outbox.take_events();
  SECTION("entries") {
    for (std::size_t i = 0; i < limits::kMaxBatchEntries + 1; ++i)
      outbox.put(msg::Delta::StateChanged{session_of(1), ProviderState::kSuspect, ""});
    outbox.flush();
    const auto sent = outbox.take_events();
    REQUIRE(sent.size() == 2);
    const auto first = std::get<msg::Delta>(link_message(sent[0]));
    const auto second = std::get<msg::Delta>(link_message(sent[1]));
    CHECK(first.changes.size() == limits::kMaxBatchEntries);
    CHECK(second.changes.size() == 1);
    CHECK(second.seq == first.seq + 1);
  }
  SECTION("bytes: small ones gather, one that is too large travels alone") {
    const auto parcel = [](std::size_t size) {
      return msg::Parcel{session_of(1), Blob(std::string(size, 'x'))};
    };
    outbox.put(parcel(400'000));
    outbox.put(parcel(400'000));
    outbox.put(parcel(3'000'000));
    outbox.put(parcel(10));
    outbox.flush();
    const auto sent = outbox.take_events();
    REQUIRE(sent.size() == 3);
    CHECK(std::get<msg::FromNodes>(link_message(sent[0])).parcels.size() == 2);
    CHECK(std::get<msg::FromNodes>(link_message(sent[1])).parcels.size() == 1);
  }
}

TEST_CASE("a snapshot too large for a frame goes out in parts, and all but the last say so") {
  Metrics metrics;
  LinkOutbox outbox(id_of<InstanceId>(1), metrics);
  std::vector<msg::ProviderEntry> providers;
  for (std::uint32_t n = 0; n < 1200; ++n) providers.push_back(large_entry(n));
  outbox.connect("D", providers, 7);
  CHECK(!outbox.pending());
  const auto sent = outbox.take_events();
  REQUIRE(sent.size() > 1);
  std::size_t seen = 0;
  for (const LinkOutput& output : sent) {
    CHECK(output.frame.size() < limits::kMaxLinkFrameBytes);
    const auto part = std::get<msg::Snapshot>(link_message(output));
    CHECK(part.seq == outbox.seq());
    CHECK(part.uptime_ms == 7);
    CHECK(part.more == (&output != &sent.back()));
    for (const auto& entry : part.providers) CHECK(entry.session == providers.at(seen++).session);
  }
  CHECK(seen == providers.size());
}

TEST_CASE("without a dispatcher nothing is kept") {
  Metrics metrics;
  LinkOutbox outbox(id_of<InstanceId>(1), metrics);
  outbox.put(msg::Parcel{session_of(1), Blob(std::string("x"))});
  outbox.put_heartbeat();
  outbox.flush();
  CHECK(!outbox.pending());
  CHECK(outbox.take_events().empty());
  CHECK(outbox.seq() == 0);
}

TEST_CASE("what was meant for a peer that is gone is dropped, and nothing else") {
  Metrics metrics;
  LinkOutbox outbox(id_of<InstanceId>(1), metrics);
  const LinkToDispatcher beat = msg::LinkHeartbeat{id_of<InstanceId>(1), 0};
  outbox.answer("D", beat);
  outbox.answer("E", beat);
  outbox.answer("D", beat);
  outbox.drop_events("D");
  const auto sent = outbox.take_events();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].peer == "E");
  CHECK(!outbox.has_events());
}

}  // namespace genai::broker::test
