// Each limit on the shape of a message: what just fits is taken, one more is refused with its code.
#include "protocol/base/limits.h"

#include <catch2/catch.hpp>
#include <functional>
#include <msgpack.hpp>

#include "protocol/wire/messages.h"

using namespace genai;

namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;
using Fill = std::function<void(Packer&)>;

/// A frame with the head of an M and what `fill` packs behind it.
template <class M>
std::string frame(std::uint32_t fields, const Fill& fill) {
  msgpack::sbuffer buffer;
  Packer packer(buffer);
  packer.pack_array(fields + 2);
  packer.pack(limits::kProtocolVersion);
  packer.pack(M::kKind.number);
  fill(packer);
  return {buffer.data(), buffer.size()};
}

ErrorCode verdict(const std::string& frame, Direction direction) {
  const auto message = decode(Blob(frame), direction);
  return message ? ErrorCode::kOk : message.error().code;
}

void pack_bin(Packer& packer, std::size_t bytes) {
  packer.pack_bin(static_cast<std::uint32_t>(bytes));
  packer.pack_bin_body(std::string(bytes, 'x').data(), static_cast<std::uint32_t>(bytes));
}
void pack_text(Packer& packer, std::size_t bytes) { packer.pack(std::string(bytes, 'x')); }
void pack_ids(Packer& packer, std::size_t count) {
  packer.pack_array(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) packer.pack(std::to_string(i));
}
/// A map of one key "p" that takes `bytes` in all, at least 8.
void pack_map(Packer& packer, std::size_t bytes) {
  packer.pack_map(1);
  packer.pack("p");
  pack_bin(packer, bytes - 3 - (bytes < (1u << 16) + 6 ? 3 : 5));
}
void pack_ref(Packer& packer) {
  packer.pack_array(3);
  packer.pack("t");
  packer.pack(1);
  packer.pack(7);
}

ErrorCode submit(const Fill& spec, std::size_t payload = 1, std::size_t id = 1) {
  return verdict(frame<msg::Submit>(3,
                                    [&](Packer& p) {
                                      p.pack(1);
                                      p.pack(1);
                                      p.pack_array(1);
                                      p.pack_array(3);
                                      pack_text(p, id);
                                      spec(p);
                                      pack_bin(p, payload);
                                    }),
                 Direction::kFromClient);
}
ErrorCode submit(const std::string& key, std::uint64_t value) {
  return submit([&](Packer& p) { p.pack(std::map<std::string, std::uint64_t>{{key, value}}); });
}
void no_spec(Packer& packer) { packer.pack_map(0); }

ErrorCode hello(const Fill& meta, std::size_t held = 0) {
  return verdict(frame<msg::Hello>(4,
                                   [&](Packer& p) {
                                     p.pack("node");
                                     pack_bin(p, 16);
                                     meta(p);
                                     p.pack_array(static_cast<std::uint32_t>(held));
                                     for (std::size_t i = 0; i < held; ++i) pack_ref(p);
                                   }),
                 Direction::kFromNode);
}

ErrorCode result(std::size_t info, std::size_t data) {
  return verdict(frame<msg::Result>(1,
                                    [&](Packer& p) {
                                      p.pack_array(1);
                                      p.pack_array(4);
                                      pack_ref(p);
                                      p.pack(0);
                                      pack_map(p, info);
                                      pack_bin(p, data);
                                    }),
                 Direction::kFromNode);
}

template <class M>
ErrorCode ids(std::size_t count) {
  return verdict(frame<M>(2,
                          [&](Packer& p) {
                            p.pack(1);
                            pack_ids(p, count);
                          }),
                 Direction::kFromClient);
}

ErrorCode list(const Fill& filter) {
  return verdict(frame<msg::List>(2,
                                  [&](Packer& p) {
                                    p.pack(1);
                                    filter(p);
                                  }),
                 Direction::kFromClient);
}

/// `check(limit)` is fine and `check(limit + 1)` is refused with the code.
void holds(std::size_t limit, ErrorCode code, const std::function<ErrorCode(std::size_t)>& check) {
  CHECK(name(check(limit)) == "ok");
  CHECK(name(check(limit + 1)) == name(code));
}

constexpr auto kTooLarge = ErrorCode::kTooLarge;
constexpr auto kBadField = ErrorCode::kBadField;

}  // namespace

TEST_CASE("limit: payload of a task") {
  holds(limits::kMaxPayloadBytes, kTooLarge, [](auto n) { return submit(no_spec, n); });
}

TEST_CASE("limit: data of a result") {
  holds(limits::kMaxResultBytes, kTooLarge, [](auto n) { return result(8, n); });
}

TEST_CASE("limit: info of a result") {
  holds(limits::kMaxResultInfoBytes, kTooLarge, [](auto n) { return result(n, 1); });
}

TEST_CASE("limit: spec of a task") {
  holds(limits::kMaxSpecBytes, kTooLarge,
        [](auto n) { return submit([&](Packer& p) { pack_map(p, n); }); });
}

TEST_CASE("limit: meta of a node") {
  holds(limits::kMaxMetaBytes, kTooLarge,
        [](auto n) { return hello([&](Packer& p) { pack_map(p, n); }); });
}

TEST_CASE("limit: other open maps") {
  holds(limits::kMaxInfoBytes, kTooLarge,
        [](auto n) { return list([&](Packer& p) { pack_map(p, n); }); });
}

TEST_CASE("limit: entries of a batch") {
  holds(limits::kMaxBatchEntries, kTooLarge, ids<msg::Cancel>);
}

TEST_CASE("limit: ids of a STATUS") {
  holds(limits::kMaxStatusIds, kTooLarge, ids<msg::StatusQuery>);
}

TEST_CASE("limit: keys of a map") {
  holds(limits::kMaxMapEntries, kTooLarge, [](auto n) {
    return list([&](Packer& p) {
      p.pack_map(static_cast<std::uint32_t>(n));
      for (std::size_t i = 0; i < n; ++i) {
        p.pack(std::to_string(i));
        p.pack_nil();
      }
    });
  });
}

TEST_CASE("limit: providers of a SNAPSHOT, elements of an array") {
  STATIC_REQUIRE(limits::kMaxSnapshotEntries == limits::kMaxArrayEntries);
  holds(limits::kMaxSnapshotEntries, kTooLarge, [](auto n) {
    const auto snapshot = frame<msg::Snapshot>(5, [&](Packer& p) {
      pack_bin(p, 16);
      p.pack(1);
      p.pack(1);
      p.pack_array(static_cast<std::uint32_t>(n));
      for (std::size_t i = 0; i < n; ++i) {
        p.pack_array(5);
        pack_bin(p, 16);
        p.pack("node");
        p.pack(0);
        p.pack_map(0);
        p.pack_array(0);
      }
      p.pack(false);
    });
    return verdict(snapshot, Direction::kLinkToDispatcher);
  });
}

TEST_CASE("limit: bytes of an id") {
  holds(limits::kMaxIdBytes, kTooLarge, [](auto n) { return submit(no_spec, 1, n); });
}

TEST_CASE("limit: bytes of a name") {
  holds(limits::kMaxNameBytes, kBadField, [](auto n) {
    return submit([&](Packer& p) {
      p.pack_map(1);
      p.pack("model");
      pack_text(p, n);
    });
  });
  holds(limits::kMaxNameBytes, kTooLarge, [](auto n) {
    return list([&](Packer& p) {
      p.pack_map(1);
      pack_text(p, n);
      p.pack_nil();
    });
  });
}

TEST_CASE("limit: bytes of a text") {
  holds(limits::kMaxTextBytes, kTooLarge, [](auto n) {
    return verdict(frame<msg::Leave>(1, [&](Packer& p) { pack_text(p, n); }), Direction::kFromNode);
  });
}

TEST_CASE("limit: models of a node") {
  holds(limits::kMaxModels, kTooLarge, [](auto n) {
    return verdict(frame<msg::Heartbeat>(3,
                                         [&](Packer& p) {
                                           p.pack(1);
                                           p.pack_array(0);
                                           pack_ids(p, n);
                                         }),
                   Direction::kFromNode);
  });
}

TEST_CASE("limit: assignments held by a node") {
  holds(limits::kMaxHeld, kTooLarge, [](auto n) { return hello(no_spec, n); });
}

TEST_CASE("limit: slots of a node") {
  holds(limits::kMaxSlots, kBadField, [](auto n) {
    return hello([&](Packer& p) { p.pack(std::map<std::string, std::uint64_t>{{"slots", n}}); });
  });
}

TEST_CASE("limit: priority, attempts and times of a task") {
  holds(limits::kMaxPriority, kBadField, [](auto n) { return submit("priority", n); });
  holds(limits::kMaxAttempts, kBadField, [](auto n) { return submit("max_attempts", n); });
  holds(limits::kMaxTtlMs, kBadField, [](auto n) { return submit("ttl_ms", n); });
  holds(limits::kMaxTtlMs, kBadField, [](auto n) { return submit("time_limit_ms", n); });
  holds(limits::kMaxUnixMs, kBadField, [](auto n) { return submit("not_before_ms", n); });
  holds(limits::kMaxUnixMs, kBadField, [](auto n) { return submit("deadline_ms", n); });
  holds(limits::kMaxTtlMs, kBadField, [](auto n) { return submit("start_in_ms", n); });
  holds(limits::kMaxTtlMs, kBadField, [](auto n) { return submit("deadline_in_ms", n); });
}

TEST_CASE("limit: the interval of heartbeats") {
  const auto welcome = [](std::uint64_t heartbeat_ms) {
    return verdict(frame<msg::Welcome>(4,
                                       [&](Packer& p) {
                                         pack_bin(p, 16);
                                         p.pack(heartbeat_ms);
                                         p.pack(100'000);
                                         p.pack(200'000);
                                       }),
                   Direction::kToNode);
  };
  holds(limits::kMaxHeartbeatMs, kBadField, welcome);
  CHECK(name(welcome(limits::kMinHeartbeatMs)) == "ok");
  CHECK(name(welcome(limits::kMinHeartbeatMs - 1)) == "bad_field");
}
