// A broker core on virtual time, with everything it sends decoded.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core.h"
#include "protocol/wire/messages.h"

namespace genai::broker::test {

template <class Id>
Id id_of(std::uint8_t n) {
  typename Id::Bytes bytes{};
  bytes.fill(n);
  return Id(bytes);
}
inline SessionId session_of(std::uint8_t n) { return id_of<SessionId>(n); }
inline NodeId node_of(std::string_view text) { return *NodeId::parse(text); }
inline AssignmentRef ref_of(std::string_view task, std::uint32_t attempt = 1) {
  return {*TaskId::parse(task), attempt, 7};
}
inline Blob blob_of(const Message& message) { return Blob(encode(message)); }

inline msg::Hello hello(std::string_view node, std::uint8_t session,
                        std::vector<AssignmentRef> held = {}) {
  PublicMetaInfo meta;
  meta.models = {"sdxl"};
  meta.slots = 2;
  return {node_of(node), session_of(session), meta, std::move(held)};
}

inline Blob result_frame(std::string_view task) {
  msg::Result result;
  result.entries.push_back({ref_of(task), msg::Outcome::kOk, {}, Blob(std::string("data"))});
  return blob_of(result);
}

/// What a field of a line says.
inline std::uint64_t uint_in(const LogEvent& event, std::string_view field) {
  for (const auto& [key, value] : event.fields)
    if (key == field) return get_uint({{"", value}}, "");
  FAIL("no field " << field);
  return 0;
}

/// Every notable byte of a core's membership, for "nothing has changed".
inline std::string fingerprint(const Core& core, const Now& now) {
  msg::Snapshot snapshot = core.snapshot(now);
  snapshot.uptime_ms = 0;
  return encode(snapshot);
}

class World {
 public:
  explicit World(std::size_t max_nodes = 100, const Timing& timing = {})
      : now{from_ms(1'000'000), {}}, core({id_of<InstanceId>(0xbb), timing, max_nodes}, now) {}

  // ---- events. Node frames that a call brought about are its result, link frames pile up in
  // `link`.

  struct Sent {
    std::string peer;
    Message message;
  };

  std::vector<Sent> node(std::string_view peer, const Message& message) {
    return node_bytes(peer, blob_of(message));
  }
  std::vector<Sent> node_bytes(std::string_view peer, const Blob& frame) {
    core.handle(NodeFrame{{peer, who}, frame}, now);
    return collect();
  }
  std::vector<Sent> dispatcher(std::string_view peer, const Message& message) {
    return link_bytes(peer, blob_of(message));
  }
  std::vector<Sent> link_bytes(std::string_view peer, const Blob& frame) {
    core.handle(LinkFrame{{peer, who}, frame}, now);
    return collect();
  }
  std::vector<Sent> expire() {
    core.expire(now);
    return collect();
  }
  /// Any other event.
  template <class Event>
  void tell(const Event& event) {
    core.handle(event, now);
  }
  /// Lets time pass as a healthy loop does: awake at every deadline.
  void pass(std::uint64_t ms) {
    const Duration end = now.mono + from_ms(ms);
    while (core.next_deadline() < end) {
      now.mono = std::max(now.mono, core.next_deadline());
      expire();
    }
    now.mono = end;
    expire();
  }
  /// Time passes while the process does not run.
  void stall(std::uint64_t ms) { now.mono += from_ms(ms); }
  /// Passes `ms` while the given peers beat every 500 ms.
  void pass_with_beats(std::uint64_t ms, const std::vector<std::string>& peers) {
    for (std::uint64_t done = 0; done < ms; done += 500) {
      pass(500);
      for (const auto& peer : peers) node(peer, msg::Heartbeat{1, {}, {}});
    }
  }
  void connect_dispatcher(std::string_view peer = "D", std::uint8_t instance = 1,
                          std::uint64_t epoch = 1) {
    dispatcher(peer, msg::LinkHello{id_of<InstanceId>(instance), epoch});
    expire();
    link.clear();
    notes.clear();
  }

  /// Of all that send.
  Identity who = Identity::anyone();

  // ---- what came out

  /// The next link frame, which must be an M.
  template <class M>
  M next_link(std::string_view peer = "D") {
    REQUIRE(!link.empty());
    const Sent sent = link.front();
    link.pop_front();
    INFO("got " << kind_of(sent.message).name);
    REQUIRE(sent.peer == peer);
    REQUIRE(std::holds_alternative<M>(sent.message));
    return std::get<M>(sent.message);
  }
  /// The changes of all deltas that came; clears `link`.
  std::vector<msg::Delta::Change> link_changes() {
    std::vector<msg::Delta::Change> changes;
    for (const Sent& sent : link)
      if (const auto* delta = std::get_if<msg::Delta>(&sent.message))
        changes.insert(changes.end(), delta->changes.begin(), delta->changes.end());
    link.clear();
    return changes;
  }
  std::size_t noted(const Line& line) const {
    return static_cast<std::size_t>(std::ranges::count(notes, line.text, &LogEvent::text));
  }
  std::uint64_t metric(std::string_view name) const {
    ValueMap all;
    core.metrics().write(all);
    REQUIRE(all.contains(name));
    return get_uint(all, name);
  }
  std::size_t providers() const { return core.snapshot(now).providers.size(); }
  msg::ProviderEntry provider(std::uint8_t session) const {
    for (const auto& entry : core.snapshot(now).providers)
      if (entry.session == session_of(session)) return entry;
    FAIL("no such provider");
    return {};
  }

  Now now;
  Core core;
  std::deque<Sent> link;
  std::vector<LogEvent> notes;
  std::vector<NodeOutput> raw_to_nodes;  // of the last call: parcels as they are

 private:
  std::vector<Sent> collect() {
    core.check();
    Events events = core.take_events();
    std::vector<Sent> sent;
    for (const NodeOutput& output : events.to_nodes) {
      if (output.parcel_of) continue;
      const auto message = decode(Blob(output.frame), Direction::kToNode);
      REQUIRE(message);
      sent.push_back({output.peer, *message});
    }
    raw_to_nodes = std::move(events.to_nodes);
    for (const LinkOutput& output : events.to_link) {
      const auto message = decode(Blob(output.frame), Direction::kLinkToDispatcher);
      INFO((message ? std::string() : message.error().detail));
      REQUIRE(message);
      link.push_back({output.peer, *message});
    }
    notes.insert(notes.end(), events.notes.begin(), events.notes.end());
    return sent;
  }
};

/// The single frame in `sent`, which must be an M.
template <class M>
M only(const std::vector<World::Sent>& sent) {
  REQUIRE(sent.size() == 1);
  INFO("got " << kind_of(sent[0].message).name);
  REQUIRE(std::holds_alternative<M>(sent[0].message));
  return std::get<M>(sent[0].message);
}

}  // namespace genai::broker::test
