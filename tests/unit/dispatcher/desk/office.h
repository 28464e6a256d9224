// The desk alone, on virtual time: the test is its clients, and carries out what the desk wishes.
// Nothing places, runs or archives tasks by itself here.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/desk/desk.h"
#include "protocol/base/overloaded.h"
#include "protocol/wire/messages.h"
#include "tests/unit/dispatcher/told.h"

namespace genai::dispatcher::test {

/// What the desk wished for, as "accept t": others have carried it out.
using Wishes = std::vector<std::string>;

struct Office {
  static constexpr std::uint64_t kEpoch = 7;

  DeskLimits limits;
  PlacementPolicy policy;
  LinkTimes times;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  Metrics metrics;
  Changes changes{false};
  TaskTable tasks{changes};
  Placement placement;
  Membership fleet{times, InstanceId{}, kEpoch, {"ipc://broker"}, now};
  Desk desk{limits, now, tasks, placement, fleet, metrics};
  Identity who = Identity::anyone();
  std::uint64_t sequence = 0;

  Wishes wishes;                // of the last thing that happened
  std::vector<DeskEvent> told;  // likewise, what is not carried out

  explicit Office(PlacementPolicy p = {})
      : policy(std::move(p)), placement(policy, false, metrics) {
    placement.handle(fleet_event::Joined{session(), node(), {}, true}, now);
  }

  static TaskId id(const std::string& text) { return *TaskId::parse(text); }
  /// The only node.
  static NodeId node() { return *NodeId::parse("node"); }
  static SessionId session() {
    SessionId::Bytes bytes{};
    bytes[0] = 1;
    return SessionId(bytes);
  }
  static Identity key(const std::string& name, const std::string& tenant = {}) {
    return {.kind = Identity::Kind::kClient,
            .key = name,
            .tenant = tenant,
            .may_submit = true,
            .may_watch = true};
  }

  void pass(std::uint64_t ms) {
    now.mono += from_ms(ms);
    now.wall += from_ms(ms);
  }

  // ---- clients
  /// The whole request is served, as Dispatcher does it.
  void ask(const ClientRequest& message, const std::string& peer = "client") {
    ask_bytes(encode(message), peer);
  }
  void ask_bytes(std::string bytes, const std::string& peer = "client") {
    const Blob frame(std::move(bytes));
    begin();
    desk.handle(ClientFrame{peer, who, frame}, now);
    do carry_out();
    while (desk.proceed(now));
    carry_out();
    tasks.check_invariants();
    placement.check();
  }
  void leave(const std::string& peer) {
    begin();
    desk.handle(ClientGone{peer}, now);
    carry_out();
  }
  void revoke(const KeySet& keys) {
    begin();
    desk.handle(KeysRevoked{keys}, now);
    carry_out();
  }
  void expire() {
    begin();
    desk.tell_progressed();
    desk.expire(now);
    carry_out();
  }
  static msg::Submission submission(const std::string& task, TaskSpec spec = {},
                                    const std::string& payload = "prompt") {
    return {id(task), make_spec(std::move(spec), {}), Blob(payload)};
  }
  /// The verdict.
  msg::Acceptance submit(const std::string& task, TaskSpec spec = {},
                         msg::WatchLevel level = msg::WatchLevel::kResult,
                         const std::string& peer = "client") {
    ask(msg::Submit{1, level, {submission(task, std::move(spec))}}, peer);
    const auto replies = replies_to<msg::Accepted>(peer);
    REQUIRE(replies.size() == 1);
    REQUIRE(replies[0].verdicts.size() == 1);
    CHECK(replies[0].verdicts[0].task_id == id(task));
    return replies[0].verdicts[0];
  }

  // ---- what happens to tasks
  Task& task(const std::string& name) {
    Task* const found = tasks.find(id(name));
    REQUIRE(found != nullptr);
    return *found;
  }
  bool knows(const std::string& name) const { return tasks.knows(id(name)); }
  /// The node has it, as its first attempt.
  void send(Task& task) {
    task.issued = {{1, kEpoch, session(), node()}};
    task.current = 1;
    tasks.move(task, Step::kAssign, "picked", now, node(), 1);
    placement.handle(task_event::Assigned{&task, session()}, now);
    tasks.move(task, Step::kAcknowledge, "node took it", now, node(), 1);
    placement.handle(task_event::Acknowledged{&task, session(), false, false}, now);
  }
  void end(Task& task, Step step, ErrorCode code = ErrorCode::kOk) {
    task_event::Ended ended{
        &task, task.status, std::exchange(task.recovering, false), {}, {}, false, 0};
    if (task.is_assigned()) ended.from = session();
    if (step == Step::kComplete) {
      ended.by = session();
      ended.is_late = !task.is_assigned();
      task.result = Blob("picture");
    }
    task.code = code;
    task.ended_by = task.current;
    tasks.move(task, step, "its end", now);
    placement.handle(ended, now);
    desk.handle(ended, now);
  }
  /// The same, and what the desk tells then.
  void finish(const std::string& name, Step step = Step::kComplete) {
    begin();
    end(task(name), step, step == Step::kFail ? ErrorCode::kTaskError : ErrorCode::kOk);
    desk.expire(now);
    carry_out();
  }
  void progress(const std::string& name, double fraction, const std::string& text = "") {
    task_event::Progressed event{&task(name), fraction, text};
    desk.handle(event, now);
  }
  void say(LinkToDispatcher message) {
    begin();
    fleet.handle(0, std::move(message), now);
    std::vector<FleetEvent> events;
    fleet.take_events(events);
    for (const FleetEvent& event : events)
      if (const auto* superseded = std::get_if<fleet_event::Superseded>(&event))
        desk.handle(*superseded, now);
    carry_out();
  }

  // ---- what was told
  template <class Event>
  std::vector<const Event*> all() const {
    return all_told<Event>(told);
  }
  template <class M>
  std::vector<M> replies_to(const std::string& peer = "client") const {
    std::vector<M> found;
    for (const auto* reply : all<desk_event::Reply>())
      if (const auto* body = std::get_if<M>(&reply->message); body && reply->peer == peer)
        found.push_back(*body);
    return found;
  }
  template <class M>
  M only_reply(const std::string& peer = "client") const {
    const auto found = replies_to<M>(peer);
    REQUIRE(found.size() == 1);
    return found[0];
  }
  ErrorCode error(const std::string& peer = "client") const {
    return only_reply<msg::ErrorReply>(peer).code;
  }
  /// The tasks whose results were sent to the peer.
  std::vector<std::string> results_to(const std::string& peer) const {
    std::vector<std::string> found;
    for (const auto* sent : all<desk_event::SendResult>())
      if (sent->peer == peer) found.push_back(sent->entry.task_id.str());
    return found;
  }
  std::vector<msg::Update::Entry> updates_to(const std::string& peer) const {
    std::vector<msg::Update::Entry> found;
    for (const auto* sent : all<desk_event::SendUpdate>())
      if (sent->peer == peer) found.push_back(sent->entry);
    return found;
  }

 private:
  void begin() {
    wishes.clear();
    told.clear();
  }
  void wish(const std::string& what, const TaskId& task) {
    wishes.push_back(what + " " + task.str());
  }
  void carry_out() {
    while (desk.has_events()) {
      std::vector<DeskEvent> events;
      desk.take_events(events);
      for (DeskEvent& event : events)
        std::visit(Overloaded{[&](Accept& e) { accept(e); },
                              [&](Cancel& e) {
                                wish("cancel", e.task.id);
                                end(e.task, Step::kAbort, ErrorCode::kCancelled);
                              },
                              [&](Reprioritise& e) {
                                wish("reprioritise", e.task.id);
                                e.task.priority_override = static_cast<std::int8_t>(e.priority);
                                tasks.annotate(e.task, "another priority", now);
                                placement.handle(task_event::Reprioritised{&e.task}, now);
                              },
                              [&](desk_event::Purge& e) {
                                wish("purge", e.task->id);
                                desk.handle(Forgotten{e.task->handle, true}, now);
                                tasks.erase(e.task->handle, true, now.mono);
                              },
                              [&](desk_event::Fetched& e) {
                                wish("fetched", e.task->id);
                                e.task->result = {};
                                e.task->fetched = true;
                              },
                              [&](desk_event::Annotate& e) {
                                wish("annotate", e.task->id);
                                tasks.annotate(*e.task, e.text, now);
                              },
                              [&](auto&) { told.push_back(std::move(event)); }},
                   event);
    }
  }
  void accept(Accept& event) {
    wish("accept", event.id);
    auto owned = std::make_unique<Task>();
    owned->id = event.id;
    TaskSpec spec = event.spec;
    owned->spec = KeptSpec(spec);
    owned->payload = event.payload;
    owned->digest = event.digest;
    owned->sequence = ++sequence;
    owned->accepted_at = now.mono;
    owned->created_ms = to_ms(now.wall);
    owned->expires_at = now.mono + from_ms(event.spec.ttl_ms);
    Task& task = tasks.insert(std::move(owned), now, event.reason);
    const task_event::Accepted accepted{&task, &event.spec};
    placement.handle(accepted, now);
    desk.handle(accepted, now);
  }
};

}  // namespace genai::dispatcher::test
