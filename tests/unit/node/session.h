// A session core on virtual time, with everything it sends decoded.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "protocol/wire/messages.h"
#include "tools/node/session_core.h"

namespace genai::node::test {

inline SessionId session_of(std::uint8_t n) {
  SessionId::Bytes bytes{};
  bytes.fill(n);
  return SessionId(bytes);
}
inline AssignmentRef ref_of(std::string_view task, std::uint32_t attempt = 1,
                            std::uint64_t epoch = 7) {
  return {*TaskId::parse(task), attempt, epoch};
}
inline msg::Assignment assignment_of(const AssignmentRef& ref, const std::string& model = {}) {
  TaskSpec spec;
  spec.needs.model = model;
  return {ref, make_spec(spec, {}), Blob(std::string("payload"))};
}

class Session {
 public:
  explicit Session(std::uint32_t slots = 1, std::vector<std::string> models = {})
      : now{from_ms(1'000'000), {}}, core(config(slots, std::move(models)), now) {}

  /// Says WELCOME, after the HELLO that must have been sent.
  void join(std::uint64_t heartbeat_ms = 1000, std::uint64_t lost_ms = 5000) {
    tick();
    next<msg::Hello>();
    say(msg::Welcome{{}, heartbeat_ms, heartbeat_ms * 2, lost_ms});
  }
  void say(const Message& message) { tell(SessionCore::Frame{Blob(encode(message))}); }
  void say_error(ErrorCode code) { say(msg::ErrorReply{0, code, "because"}); }
  void assign(const AssignmentRef& ref, const std::string& model = {}) {
    say(msg::Assign{{assignment_of(ref, model)}});
  }
  void abort(const AssignmentRef& ref, ErrorCode code = ErrorCode::kCancelled) {
    say(msg::Abort{{{ref, code}}});
  }
  void ack_result(const AssignmentRef& ref, ErrorCode code = ErrorCode::kOk) {
    say(msg::ResultAck{{{ref, code}}});
  }
  void finish(const AssignmentRef& ref, TaskResult result = TaskResult::ok("result")) {
    tell(Report::Finished{ref, std::move(result)});
  }
  void leave() { tell(Report::Leave{"test"}); }
  void force() { tell(Report::Force{}); }
  template <class Event>
  void tell(Event event) {
    core.handle(std::move(event), now);
    tick();
  }
  void tick() {
    core.expire(now);
    core.check();
    for (SessionCore::Event& event : core.take_events())
      std::visit([this](auto& body) { take(body); }, event);
  }
  /// Lets time pass as a healthy loop does; `answering`: while the broker answers heartbeats.
  void pass(std::uint64_t ms, bool answering = true) {
    const Duration end = now.mono + from_ms(ms);
    while (core.next_deadline() <= end) {
      REQUIRE(core.next_deadline() > last_deadline_);  // time goes on
      last_deadline_ = std::max(now.mono, core.next_deadline());
      now.mono = last_deadline_;
      tick();
      if (answering && core.joined())
        core.handle(SessionCore::Frame{Blob(encode(msg::HeartbeatReply{1}))}, now);
    }
    now.mono = end;
    tick();
  }

  /// The next frame that was sent, which must be an M.
  template <class M>
  M next() {
    REQUIRE(!sent.empty());
    const Message message = sent.front();
    sent.pop_front();
    INFO("got " << kind_of(message).name);
    REQUIRE(std::holds_alternative<M>(message));
    return std::get<M>(message);
  }
  /// The single entry of the next frame.
  template <class M>
  typename M::Entry next_entry() {
    const M message = next<M>();
    REQUIRE(message.entries.size() == 1);
    return message.entries[0];
  }
  /// All frames of that kind that were sent; forgets the others.
  template <class M>
  std::vector<M> all() {
    std::vector<M> out;
    for (const Message& message : std::exchange(sent, {}))
      if (const auto* found = std::get_if<M>(&message)) out.push_back(*found);
    return out;
  }
  std::vector<AssignmentRef> take_started() { return std::exchange(started, {}); }
  std::vector<AssignmentRef> take_stopped() { return std::exchange(stopped, {}); }
  std::size_t count(Event::Kind kind) const {
    std::size_t n = 0;
    for (const Event& event : events) n += event.kind == kind;
    return n;
  }

  Now now;
  SessionCore core;
  std::deque<Message> sent;
  std::vector<AssignmentRef> started, stopped;
  std::vector<Event> events;
  std::size_t reconnects = 0;
  std::optional<RunEnd> end;

 private:
  static CoreConfig config(std::uint32_t slots, std::vector<std::string> models) {
    PublicMetaInfo meta;
    meta.slots = slots;
    meta.models = std::move(models);
    return {*NodeId::parse("n1"), session_of(9), meta};
  }

  void take(SessionCore::Reconnect) { ++reconnects; }
  void take(const SessionCore::Send& send) {
    const auto message = decode(Blob(send.frame), Direction::kFromNode);
    REQUIRE(message);
    sent.push_back(*message);
  }
  void take(const SessionCore::Start& start) {
    CHECK(start.payload.view() == "payload");
    started.push_back(start.ref);
  }
  void take(const SessionCore::Stop& stop) { stopped.push_back(stop.ref); }
  void take(const Event& event) { events.push_back(event); }
  void take(const RunEnd& how) { end = how; }

  Duration last_deadline_{0};
};

}  // namespace genai::node::test
