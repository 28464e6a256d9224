// A dispatcher core on a store double, with nodes and a client that outlive its crashes, and an
// oracle outside that believes only what it was told.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/offer_changes.h"
#include "tests/unit/dispatcher/store/store_double.h"
#include "tests/unit/dispatcher/world.h"

namespace genai::dispatcher::test {

/// One life of the dispatcher. Commits begin at once and end when told.
struct DurableWorld : World {
  DurableWorld(StoreDouble& store, std::uint64_t epoch, Now start)
      : World(durable(store), {"ipc://broker"}, epoch, start), store(store) {
    store.expire();  // the process before is gone
    lease = *store.acquire("a test", epoch);
    REQUIRE(lease.epoch == epoch);
    for (std::optional<store::Cursor> next = store::Cursor{}; next;) {
      auto page = store.load(lease, *next);
      next = page->next;
      core.restore(std::move(*page), now);
    }
    core.check();
  }
  static Config durable(const StoreDouble& store) {
    Config config;
    config.durable = true;
    config.largest_inline = store.largest_inline();
    return config;
  }
  void send_durably(Messages messages) override { commit(std::move(messages)); }
  void commit(Messages promises = {}) {
    offer_changes(core, committer, std::move(promises), now);
    committer.check();
    for (auto events = committer.take_events(); !events.empty(); events = committer.take_events())
      for (Committer::Event& event : events) {
        if (auto* write = std::get_if<Committer::Write>(&event)) running = std::move(write->batch);
        if (std::get_if<Committer::Look>(&event)) committer.handle(store::CommitReport{}, now);
        if (auto* release = std::get_if<Committer::Release>(&event))
          send(std::move(release->messages));
        if (std::get_if<Committer::Failed>(&event)) failed = true;
      }
  }
  /// Ends the commit under way, if any. False: the store failed for good.
  bool finish_commit() {
    if (!running) return true;
    store::CommitReport report{.entries = running->size()};
    report.result = store.commit(lease, *running);
    if (!report.result) report.left = std::move(*running);
    running.reset();
    committer.handle(std::move(report), now);
    core.handle(committer.report());
    commit();
    return !failed;
  }
  /// Does the reads that were asked for.
  void finish_reads() {
    for (const ReadData& read : std::exchange(reads, {}))
      core.handle(DataRead{read.number, store.read(read.key, read.offset, read.bytes)});
    step();
  }
  /// Until nothing waits for the disk any more, except for a commit whose end the test forgot.
  void settle() {
    for (int round = 0; running || committer.stuck(); ++round) {
      REQUIRE(round < 100);
      if (!running) {  // a batch that did not fit
        now.wall += committer.next_deadline() - now.mono;
        now.mono = committer.next_deadline();
        commit();
      }
      REQUIRE(finish_commit());
    }
  }

  StoreDouble& store;
  store::Lease lease;
  Committer committer{{.name = "double", .durable = true}, now};
  std::optional<store::Batch> running;
  bool failed = false;
};

struct DurableFleet {
  static constexpr unsigned kNodes = 3;

  explicit DurableFleet(unsigned seed) : random(seed) { start(World::kStart); }

  unsigned pick(unsigned below) { return static_cast<unsigned>(random() % below); }

  // ---- the dispatcher's lives ----
  void start(Now now) {
    w = std::make_unique<DurableWorld>(store, ++epoch, now);
    join_all();
  }
  void join_all() {
    std::vector<msg::ProviderEntry> entries;
    for (unsigned node = 1; node <= kNodes; ++node)
      if (online[node]) entries.push_back(World::entry(node, 2, held_by(node)));
    w->snapshot(entries);
    take_messages();
  }
  /// The process ends here; what it had not sent is gone with it.
  void crash() {
    Now now = w->now;
    now.mono += from_ms(pick(3'000));
    now.wall += now.mono - w->now.mono;
    w.reset();
    inbox.clear();  // assignments on their way
    ++crashes;
    start(now);
  }
  /// Ends the commit under way; crashes where the test wants it.
  void finish_commit() {
    if (!w->running) return;
    const bool here = store.commits + 1 == crash_at && !went_wrong;
    if (here) went_wrong = true;
    if (here && crash_before_sync) return crash();
    if (here) store.next_fault = fault;
    const bool lives = w->finish_commit();
    if (!lives || (here && fault == Fault::kNone)) return crash();
    take_messages();
  }

  std::vector<AssignmentRef> held_by(unsigned node) const {
    std::vector<AssignmentRef> refs;
    if (auto it = held.find(node); it != held.end())
      for (const auto& [ref, result] : it->second) refs.push_back(ref);
    return refs;
  }

  // ---- what arrives, and what it proves ----
  void take_messages() {
    for (auto& sent : std::exchange(w->to_nodes, {})) {
      if (!online[sent.node]) continue;
      if (auto* assign = std::get_if<msg::Assign>(&sent.message))
        for (auto& entry : assign->entries) inbox.emplace_back(sent.node, entry.ref);
      if (auto* abort = std::get_if<msg::Abort>(&sent.message))
        for (auto& entry : abort->entries) aborts.emplace_back(sent.node, entry.ref);
      if (auto* ack = std::get_if<msg::ResultAck>(&sent.message))
        for (auto& entry : ack->entries) on_result_ack(sent.node, entry);
    }
    for (auto& [peer, message] : std::exchange(w->to_clients, {})) {
      if (auto* accepted = std::get_if<msg::Accepted>(&message)) on_accepted(*accepted);
      if (auto* cancelled = std::get_if<msg::Cancelled>(&message)) on_cancelled(*cancelled);
      if (auto* purged = std::get_if<msg::Purged>(&message)) on_purged(*purged);
      if (auto* deliver = std::get_if<msg::Deliver>(&message)) on_deliver(*deliver);
    }
  }
  void on_accepted(const msg::Accepted& message) {
    for (const auto& verdict : message.verdicts) {
      if (verdict.code != ErrorCode::kOk) continue;
      INFO("accepted " << verdict.task_id.str());
      CHECK(store.find(verdict.task_id) != nullptr);  // or its promise is worth nothing
      accepted.insert(verdict.task_id.str());
    }
  }
  void on_cancelled(const msg::Cancelled& message) {
    for (const auto& verdict : message.verdicts) {
      if (verdict.code != ErrorCode::kOk) continue;
      INFO("cancelled " << verdict.task_id.str());
      CHECK(store.find(verdict.task_id)->status == TaskStatus::kAborted);
      cancelled.insert(verdict.task_id.str());
    }
  }
  void on_purged(const msg::Purged& message) {
    for (const auto& verdict : message.verdicts) {
      if (verdict.code != ErrorCode::kOk) continue;
      CHECK(store.find(verdict.task_id) == nullptr);
      accepted.erase(verdict.task_id.str());
      purged.insert(verdict.task_id.str());
    }
  }
  void on_result_ack(unsigned node, const msg::ResultAck::Entry& entry) {
    auto result = held[node].extract(entry.ref);
    if (result.empty() || entry.code != ErrorCode::kOk || result.mapped()->starts_with("error"))
      return;
    INFO("acknowledged " << entry.ref.task_id.str());  // the node forgets its only copy
    const auto* kept = store.find(entry.ref.task_id);
    REQUIRE(kept != nullptr);
    CHECK(kept->status == TaskStatus::kCompleted);
    if (!kept->fetched) CHECK(kept->result.view() == *result.mapped());
  }
  void on_deliver(const msg::Deliver& message) {
    for (const auto& entry : message.entries) {
      const std::string id = entry.task_id.str();
      INFO("delivered " << id);
      const auto* kept = store.find(entry.task_id);
      REQUIRE(kept != nullptr);
      CHECK(kept->status == entry.status);
      const std::string data(entry.data.view());
      const auto [it, first] = delivered.emplace(id, std::pair{entry.status, data});
      CHECK(it->second.first == entry.status);
      if (!get_bool(entry.info, "result_gone")) CHECK(it->second.second == data);
      if (cancelled.contains(id)) CHECK(entry.status == TaskStatus::kAborted);
      if (entry.status == TaskStatus::kCompleted && first)
        CHECK(data.starts_with("picture of " + id + " "));
      if (pick(4)) w->fetch(id);
    }
  }

  // ---- what happens ----
  void act() {
    switch (pick(16)) {
      case 0:
      case 1:
        return submit("t" + std::to_string(++submitted));
      case 2:
        if (submitted) submit("t" + std::to_string(pick(submitted) + 1));
        return;
      case 3:
        if (submitted)
          w->from_client(msg::Cancel{2, {task_id("t" + std::to_string(pick(submitted) + 1))}});
        break;
      case 4:
        return flip(pick(kNodes) + 1);
      case 5:
        pass(pick(2'000));
        break;
      case 6:
        again();
        break;
      case 7:
      case 8:
      case 9:
        finish_commit();
        break;
      default:
        answer();
    }
    take_messages();
  }
  void submit(const std::string& id) {
    if (purge_asked.contains(id)) return;
    TaskSpec spec;
    spec.max_attempts = 2;
    w->from_client(
        msg::Submit{1, msg::WatchLevel::kResult, {World::submission(id, spec, "prompt of " + id)}});
    take_messages();
  }
  void flip(unsigned node) {
    online[node] = !online[node];
    if (online[node])
      w->join(node, 2, held_by(node));
    else
      w->state(node, ProviderState::kLost);
    take_messages();
  }
  void pass(std::uint64_t ms) {
    w->advance(ms);
    w->link(msg::LinkHeartbeat{World::broker_id(0), w->seqs[0]});
    w->step();
  }
  /// Failed tasks are replayed, or purged.
  void again() {
    for (const auto& [id, result] : delivered) {
      if (result.first != TaskStatus::kFailed || purged.contains(id) || pick(3)) continue;
      if (pick(2)) {
        replays[id + "-again"] = id;
        w->from_client(msg::Replay{3, {{task_id(id), task_id(id + "-again")}}});
      } else {
        purge_asked.insert(id);
        w->from_client(msg::Purge{4, {task_id(id)}});
      }
      return;
    }
  }
  void answer() {
    for (auto& [node, ref] : std::exchange(inbox, {})) {
      if (!online[node] || pick(10) == 0) continue;  // lost on the way
      held[node].try_emplace(ref);
      w->ack(node, ref);
    }
    for (auto& [node, ref] : std::exchange(aborts, {})) {
      if (!online[node]) continue;
      const bool finished = held[node].contains(ref) && held[node][ref];
      if (!finished) held[node].erase(ref);
      w->from_node(node, msg::AbortAck{{{ref, finished ? msg::AbortOutcome::kFinished
                                                       : msg::AbortOutcome::kStopped}}});
    }
    const unsigned node = pick(kNodes) + 1;
    if (held[node].empty()) return;
    // It works on whether or not anybody hears of it.
    auto& [ref, result] = *std::next(held[node].begin(), pick(unsigned(held[node].size())));
    if (!result) result = outcome(ref);
    report(node, AssignmentRef(ref), std::string(*result));
  }
  std::string outcome(const AssignmentRef& ref) {
    if (pick(5) == 0) return "error";
    return "picture of " + ref.task_id.str() + " by attempt " + std::to_string(ref.attempt) + "." +
           std::to_string(ref.epoch);
  }
  void report(unsigned node, const AssignmentRef& ref, const std::string& result) {
    if (!online[node]) return;
    if (result == "error")
      w->error(node, ref);
    else
      w->result(node, ref, result);
  }

  /// A healthy world from now on: everything that was accepted ends, and its end is told.
  void heal() {
    for (unsigned node = 1; node <= kNodes; ++node)
      if (!online[node]) flip(node);
    for (int round = 0; round < 300 && !is_done(); ++round) {
      for (unsigned node = 1; node <= kNodes; ++node) {
        w->beat(node, held_by(node));
        for (auto& [ref, result] : held[node])
          if (!result) result = outcome(ref);
        for (const auto& [ref, result] : std::map(held[node])) report(node, ref, *result);
      }
      answer();
      w->from_client(msg::Watch{5, msg::WatchLevel::kResult, undelivered()});
      finish_commit();
      pass(500);
      take_messages();
    }
    w->settle();
  }
  std::vector<TaskId> undelivered() const {
    std::vector<TaskId> ids;
    for (const auto& id : accepted)
      if (!delivered.contains(id)) ids.push_back(task_id(id));
    if (ids.empty()) ids.push_back(task_id("t1"));
    return ids;
  }
  bool is_done() const {
    return w->core.live_tasks() == 0 && !w->core.has_changes() && w->committer.is_idle() &&
           std::ranges::all_of(accepted, [&](const auto& id) { return delivered.contains(id); });
  }
  /// Everything promised was kept.
  void check() {
    w->core.check();
    CHECK(w->core.live_tasks() == 0);
    for (const std::string& id : accepted) {
      INFO(id);
      const TaskView task = w->core.tasks().peek(task_id(id));
      if (!task && purge_asked.contains(id)) continue;  // done, but the answer was lost
      REQUIRE(task);
      REQUIRE(delivered.contains(id));
      CHECK(task->status == delivered.at(id).first);
      CHECK(store.find(task->id)->status == task->status);
    }
    CHECK(store.size() == w->core.tasks().size());
  }

  std::mt19937 random;
  StoreDouble store;
  std::unique_ptr<DurableWorld> w;
  std::uint64_t epoch = 0;

  // Where and how this run goes wrong: at the end of the n-th commit.
  std::uint64_t crash_at = 0;
  bool crash_before_sync = false;
  Fault fault = Fault::kNone;
  bool went_wrong = false;
  unsigned crashes = 0;

  // The world outside: it outlives the crashes.
  std::map<unsigned, bool> online{{1, true}, {2, true}, {3, true}};
  std::map<unsigned, std::map<AssignmentRef, std::optional<std::string>>> held;
  std::vector<std::pair<unsigned, AssignmentRef>> inbox, aborts;
  unsigned submitted = 0;
  std::map<std::string, std::string> replays;

  // The oracle.
  std::set<std::string> accepted, cancelled, purge_asked, purged;
  std::map<std::string, std::pair<TaskStatus, std::string>> delivered;
};

}  // namespace genai::dispatcher::test
