// A dispatcher core on virtual time, with a broker, nodes and clients played by the test.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/dispatcher.h"
#include "protocol/wire/messages.h"
#include "tests/unit/dispatcher/numbers.h"

namespace genai::dispatcher::test {

inline TaskId task_id(const std::string& text) { return *TaskId::parse(text); }

inline auto& list_of(msg::Assign& m) { return m.entries; }
inline auto& list_of(msg::Abort& m) { return m.entries; }
inline auto& list_of(msg::Keep& m) { return m.refs; }
inline auto& list_of(msg::ResultAck& m) { return m.entries; }

struct World {
  static constexpr std::uint64_t kEpoch = 7;
  static constexpr Now kStart{from_ms(1'000'000), from_ms(1'700'000'000'000)};

  explicit World(Config config = {}, std::vector<std::string> brokers = {"ipc://broker"},
                 std::uint64_t epoch = kEpoch, Now start = kStart)
      : now(start),
        core(config, numbered<InstanceId>(900), epoch, brokers, now),
        seqs(brokers.size(), 0) {}
  virtual ~World() = default;

  // ---- time ----
  void advance(std::uint64_t ms) {
    now.mono += from_ms(ms);
    now.wall += from_ms(ms);
  }
  /// One pass of the loop: tick, then sort what it wants sent.
  void step() {
    core.expire(now);
    Effects effects = core.take_events();
    send(std::move(effects.at_once));
    send_durably(std::move(effects.durable));
    for (auto& note : effects.notes) notes.push_back(std::move(note));
    reopened += effects.reopen_links.size();
    reads.insert(reads.end(), effects.reads.begin(), effects.reads.end());
    core.check();
  }
  /// Steps from deadline to deadline until `ms` have passed. The broker's heartbeats go on unless
  /// it is silent.
  void run_for(std::uint64_t ms) {
    const Duration until = now.mono + from_ms(ms);
    for (;;) {
      for (std::size_t i = 0; i < seqs.size(); ++i)
        if (!broker_silent) link(msg::LinkHeartbeat{broker_id(i), seqs[i]}, i);
      step();
      Duration next = std::min(core.next_deadline(), now.mono + from_ms(500));
      REQUIRE(next > now.mono);  // a loop would spin
      if (next > until) break;
      advance_to(next);
    }
    advance_to(until);
    step();
  }

  // ---- the broker ----
  static InstanceId broker_id(std::size_t broker, unsigned life = 0) {
    return numbered<InstanceId>(static_cast<unsigned>(1000 + broker * 10) + life);
  }
  void link(const Message& message, std::size_t broker = 0) {
    core.handle(LinkFrame{broker, Blob(encode(message))}, now);
  }
  void snapshot(std::vector<msg::ProviderEntry> providers = {}, std::size_t broker = 0,
                std::uint64_t uptime_ms = 60'000) {
    seqs[broker] = 10;
    link(msg::Snapshot{broker_id(broker, life), 10, uptime_ms, std::move(providers), false},
         broker);
    step();
  }
  void change(msg::Delta::Change change, std::size_t broker = 0) {
    link(msg::Delta{broker_id(broker, life), ++seqs[broker], {std::move(change)}}, broker);
    step();
  }

  // ---- nodes ----
  static SessionId session(unsigned number) { return numbered<SessionId>(number); }
  static msg::ProviderEntry entry(unsigned number, std::uint32_t slots = 1,
                                  std::vector<AssignmentRef> held = {}) {
    msg::ProviderEntry entry;
    entry.session = session(number);
    entry.node_id = *NodeId::parse("node-" + std::to_string(number % 100));
    entry.meta.slots = slots;
    entry.meta.models = {"sdxl"};
    entry.meta.ncpu = 8;
    entry.meta.ram_mib = 16'000;
    entry.meta.vram_mib = 8'000;
    entry.meta.gpu_type = "rtx";
    entry.held = std::move(held);
    return entry;
  }
  void join(unsigned number, std::uint32_t slots = 1, std::vector<AssignmentRef> held = {},
            std::size_t broker = 0) {
    change(msg::Delta::Joined{entry(number, slots, std::move(held))}, broker);
  }
  void state(unsigned number, ProviderState to, std::size_t broker = 0) {
    change(msg::Delta::StateChanged{session(number), to, "test"}, broker);
  }
  void beat(unsigned number, std::vector<AssignmentRef> held) {
    change(msg::Delta::Beat{session(number), std::move(held), {}});
  }
  void from_node(unsigned number, const Message& message) {
    link(msg::FromNodes{{{session(number), Blob(encode(message))}}});
    step();
  }
  void ack(unsigned number, const AssignmentRef& ref, ErrorCode code = ErrorCode::kOk) {
    from_node(number, msg::AssignAck{{{ref, code, ""}}});
  }
  void result(unsigned number, const AssignmentRef& ref, const std::string& data = "picture") {
    from_node(number, msg::Result{{{ref, msg::Outcome::kOk, {{"run_ms", 5}}, Blob(data)}}});
  }
  void error(unsigned number, const AssignmentRef& ref, const std::string& text = "out of memory") {
    from_node(number, msg::Result{{{ref, msg::Outcome::kError, {{"error", text}}, {}}}});
  }
  void give_back(unsigned number, const AssignmentRef& ref) {
    from_node(number, msg::Result{{{ref, msg::Outcome::kReturned, {}, {}}}});
  }

  struct ToNode {
    unsigned node;
    Message message;
  };
  /// All entries of that type sent to nodes since the last call, in order, with the node's number.
  template <class M>
  auto take_to_nodes() {
    using List = decltype(list_of(std::declval<M&>()));
    std::vector<std::pair<unsigned, typename std::decay_t<List>::value_type>> out;
    std::erase_if(to_nodes, [&](ToNode& sent) {
      auto* message = std::get_if<M>(&sent.message);
      if (!message) return false;
      for (auto& entry : list_of(*message)) out.emplace_back(sent.node, entry);
      return true;
    });
    return out;
  }
  std::vector<std::pair<unsigned, AssignmentRef>> take_assigned() {
    std::vector<std::pair<unsigned, AssignmentRef>> out;
    for (auto& [node, entry] : take_to_nodes<msg::Assign>()) out.emplace_back(node, entry.ref);
    return out;
  }
  /// The one assignment since the last call.
  std::pair<unsigned, AssignmentRef> take_only_assigned() {
    auto all = take_assigned();
    REQUIRE(all.size() == 1);
    return all[0];
  }

  // ---- clients ----
  void from_client(const Message& message, const std::string& peer = "client") {
    core.handle(ClientFrame{peer, who, Blob(encode(message))}, now);
    step();
  }
  static msg::Submission submission(const std::string& id, TaskSpec spec = {},
                                    const std::string& payload = "prompt") {
    return {task_id(id), make_spec(std::move(spec), {}), Blob(payload)};
  }
  msg::Acceptance submit(const std::string& id, TaskSpec spec = {},
                         msg::WatchLevel watch = msg::WatchLevel::kResult,
                         const std::string& peer = "client",
                         const std::string& payload = "prompt") {
    from_client(msg::Submit{1, watch, {submission(id, std::move(spec), payload)}}, peer);
    auto accepted = take_to_client<msg::Accepted>(peer);
    REQUIRE(accepted.size() == 1);
    REQUIRE(accepted[0].verdicts.size() == 1);
    return accepted[0].verdicts[0];
  }
  msg::Verdict cancel(const std::string& id) {
    from_client(msg::Cancel{2, {task_id(id)}});
    auto replies = take_to_client<msg::Cancelled>();
    REQUIRE(replies.size() == 1);
    return replies[0].verdicts.at(0);
  }
  void fetch(const std::string& id, const std::string& peer = "client") {
    from_client(msg::DeliverAck{{task_id(id)}}, peer);
  }
  /// A whole life at whichever node gets it.
  void complete(const std::string& id, const std::string& data = "picture") {
    submit(id);
    const auto [node, ref] = take_only_assigned();
    ack(node, ref);
    result(node, ref, data);
  }
  template <class M>
  std::vector<M> take_to_client(const std::string& peer = "client") {
    std::vector<M> out;
    std::erase_if(to_clients, [&](auto& sent) {
      auto* message = std::get_if<M>(&sent.second);
      if (sent.first != peer || !message) return false;
      out.push_back(std::move(*message));
      return true;
    });
    return out;
  }
  std::vector<msg::Deliver::Entry> take_delivered(const std::string& peer = "client") {
    std::vector<msg::Deliver::Entry> out;
    for (auto& message : take_to_client<msg::Deliver>(peer))
      for (auto& entry : message.entries) out.push_back(entry);
    return out;
  }
  ErrorCode take_only_error(const std::string& peer = "client") {
    auto errors = take_to_client<msg::ErrorReply>(peer);
    REQUIRE(errors.size() == 1);
    return errors[0].code;
  }

  /// As it is now; of one that is past, a copy that lasts as long as the world.
  const Task& task(const std::string& id) const {
    TaskView found = core.tasks().peek(task_id(id));
    REQUIRE(found);
    looks.push_back(std::move(found));
    return *looks.back();
  }
  /// As a client is told.
  ValueMap status_of(const std::string& id) {
    from_client(msg::StatusQuery{9, {task_id(id)}});
    return take_to_client<msg::Tasks>().at(0).tasks.at(0);
  }
  std::size_t watchers(const std::string& id) const { return core.clients().watchers(task(id)); }
  bool is_acknowledged(const std::string& id) const {
    return core.clients().is_acknowledged(task(id));
  }
  TaskStatus status(const std::string& id) const { return task(id).status; }

  Now now;
  Identity who = Identity::anyone();  // of all clients
  Dispatcher core;
  std::vector<std::uint64_t> seqs;
  unsigned life = 0;  // of the broker process
  bool broker_silent = false;
  std::vector<ToNode> to_nodes;
  std::vector<std::pair<std::size_t, Message>> to_brokers;  // what is not for nodes
  std::vector<std::pair<std::string, Message>> to_clients;
  std::vector<LogEvent> notes;
  std::size_t reopened = 0;
  std::vector<ReadData> reads;  // of the store, that were not done yet
  mutable std::deque<TaskView> looks;

  /// Without a store nothing has to wait.
  virtual void send_durably(Messages messages) { send(std::move(messages)); }
  void send(Messages messages) {
    for (auto& [broker, message] : messages.to_brokers) sort_link(broker, std::move(message));
    for (auto& out : messages.to_clients) to_clients.emplace_back(out.peer, std::move(out.message));
  }

 private:
  void advance_to(Duration mono) {
    now.wall += mono - now.mono;
    now.mono = mono;
  }
  void sort_link(std::size_t broker, Message message) {
    auto* parcels = std::get_if<msg::ToNodes>(&message);
    if (!parcels) return to_brokers.emplace_back(broker, std::move(message)), void();
    for (const msg::Parcel& parcel : parcels->parcels) {
      auto inner = decode(parcel.frame, Direction::kToNode);
      REQUIRE(inner);
      if (const auto* abort = std::get_if<msg::Abort>(&*inner))
        for (const auto& entry : abort->entries) REQUIRE(entry.code != ErrorCode::kOk);
      const auto bytes = parcel.session.view();
      to_nodes.push_back({static_cast<unsigned>(static_cast<unsigned char>(bytes[0]) +
                                                256 * static_cast<unsigned char>(bytes[1])),
                          std::move(*inner)});
    }
  }
};

}  // namespace genai::dispatcher::test
