// Membership alone, on virtual time: the test is its brokers. Messages of brokers in, events out.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/fleet/membership.h"
#include "protocol/wire/messages.h"
#include "tests/unit/dispatcher/numbers.h"
#include "tests/unit/dispatcher/told.h"

namespace genai::dispatcher::test {

inline AssignmentRef some_ref() { return {*TaskId::parse("t"), 1, 7}; }

/// Session `number` of node `of`, by default of the same number.
inline msg::ProviderEntry entry(unsigned number, unsigned of = 0,
                                ProviderState state = ProviderState::kOnline) {
  return {session(number), node(of ? of : number), state, {}, {}};
}

struct Links {
  static constexpr std::uint64_t kEpoch = 7;

  LinkTimes times;
  Now now{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  Membership fleet;
  std::vector<std::uint64_t> seqs;  // of the last delta of each broker
  std::vector<unsigned> lives;      // of each broker
  std::vector<FleetEvent> told;     // by the last thing that happened

  explicit Links(std::size_t brokers = 1)
      : fleet(times, numbered<InstanceId>(900), kEpoch, endpoints(brokers), now),
        seqs(brokers, 0),
        lives(brokers, 0) {}
  static std::vector<std::string> endpoints(std::size_t brokers) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < brokers; ++i) names.push_back("ipc://" + std::to_string(i));
    return names;
  }
  InstanceId instance(std::size_t broker) const {
    return numbered<InstanceId>(static_cast<unsigned>(1000 + broker * 100 + lives[broker]));
  }

  void pass(Duration span) {
    now.mono += span;
    now.wall += span;
  }
  void look() {
    fleet.take_events(told);
    fleet.check();
  }
  void expire(Duration judge_from = Duration{0}) {
    fleet.expire(now, judge_from);
    look();
    REQUIRE(fleet.next_deadline(judge_from) > now.mono);  // a loop would spin
  }
  /// All brokers but the silent one are heard, until the time has passed.
  void live_on(Duration span, std::size_t silent = SIZE_MAX) {
    std::vector<FleetEvent> all;
    const Duration until = now.mono + span;
    while (now.mono < until) {
      pass(std::min(times.heartbeat, until - now.mono));
      for (std::size_t i = 0; i < seqs.size(); ++i)
        if (i != silent) beat(i), keep(all);
      expire();
      keep(all);
    }
    told = std::move(all);
  }
  void keep(std::vector<FleetEvent>& all) {
    for (FleetEvent& event : std::exchange(told, {})) all.push_back(std::move(event));
  }

  // ---- brokers
  void say(std::size_t broker, LinkToDispatcher message) {
    fleet.handle(broker, std::move(message), now);
    look();
  }
  void list(std::size_t broker, std::vector<msg::ProviderEntry> entries, bool more = false,
            std::uint64_t uptime_ms = 3'600'000) {
    say(broker, msg::Snapshot{instance(broker), seqs[broker], uptime_ms, std::move(entries), more});
  }
  void change(std::size_t broker, msg::Delta::Change what) {
    say(broker, msg::Delta{instance(broker), ++seqs[broker], {std::move(what)}});
  }
  void hello(std::size_t broker, msg::ProviderEntry who) {
    change(broker, msg::Delta::Joined{std::move(who)});
  }
  void state(std::size_t broker, unsigned number, ProviderState state) {
    change(broker, msg::Delta::StateChanged{session(number), state, "its reason"});
  }
  void beat(std::size_t broker) { say(broker, msg::LinkHeartbeat{instance(broker), seqs[broker]}); }
  void refuse(std::size_t broker, ErrorCode code) { say(broker, msg::ErrorReply{0, code, "no"}); }

  // ---- what was told
  template <class Event>
  std::vector<const Event*> all() const {
    return all_told<Event>(told);
  }
  template <class Event>
  const Event& only() const {
    return only_told<Event>(told);
  }
  /// Hellos to the broker.
  std::vector<msg::LinkHello> hellos(std::size_t broker) const {
    std::vector<msg::LinkHello> found;
    for (const fleet_event::SendToBroker* sent : all<fleet_event::SendToBroker>())
      if (const auto* one = std::get_if<msg::LinkHello>(&sent->message);
          one && sent->broker == broker)
        found.push_back(*one);
    return found;
  }
  bool is_told_only_to_log() const {
    return std::ranges::all_of(
        told, [](const FleetEvent& event) { return std::holds_alternative<LogEvent>(event); });
  }
  Reach reach(unsigned number) const {
    const Session* found = fleet.find(session(number));
    REQUIRE(found != nullptr);
    return found->reach;
  }
};

}  // namespace genai::dispatcher::test
