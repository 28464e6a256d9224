#include "dispatcher_host.h"

#include <utility>

#include "dispatcher/store/parts.h"
#include "protocol/wire/codec.h"

namespace genai::sim {

using dispatcher::StoreReport;
using DiskFault = dispatcher::test::Fault;
using StoreFailure = dispatcher::store::Failure;

namespace {

constexpr Duration kLookAgain = from_ms(1000);

Identity dispatcher_identity() {
  return {.kind = Identity::Kind::kDispatcher, .key = "key of a dispatcher"};
}

}  // namespace

DispatcherHost::DispatcherHost(Environment& env, std::string name, Disk& disk,
                               std::vector<HostId> brokers, const dispatcher::Config& config)
    : Host(env, std::move(name)), disk_(disk), brokers_(std::move(brokers)), config_(config) {
  for (std::size_t i = 0; i < brokers_.size(); ++i)
    links_.emplace_back(env, id(), i, Port::kLink, dispatcher_identity());
}

void DispatcherHost::start() {
  const Now now = clock();
  auto loaded = disk_.store.load();
  const std::uint64_t epoch = loaded->last_epoch + 1;
  require(disk_.store.begin_epoch(epoch).has_value(), "no epoch");
  disk_.owner = this;
  core_ =
      std::make_unique<dispatcher::Core>(config_, env_.fresh_id<InstanceId>(), epoch,
                                         std::vector<std::string>(brokers_.size(), "broker"), now);
  core_->restore(std::move(*loaded), now);
  queue_ = {};
  writing_.reset();
  written_.reset();
  look_again_ = kNever;
  for (Line& link : links_) link.reopen();
  forget_arrivals();
  log_seen_.clear();
  joined_.clear();
  for (const auto& [id, card] : core_->tasks())
    if (card->task) log_seen_[card->id] = card->task->log.size();
  env_.note("{} starts with epoch {} and {} tasks", name(), epoch, core_->tasks().size());
  wake_now();
}

void DispatcherHost::crash() {
  env_.note("{} is killed", name());
  lose_disk();
  env_.oracle->gone(*core_);
  core_.reset();
  forget_arrivals();
  env_.network->close_all(id());
  for (Line& link : links_) link.reopen();
}

void DispatcherHost::lose_disk() {
  if (writing_ && !written_ && disk_.owner == this) settle_commit(env_.rng.one_in(2));
  if (disk_.owner == this) disk_.owner = nullptr;
}

// ---- one pass of the loop

void DispatcherHost::run(const Now& clock) {
  if (written_ && !end_commit(clock)) {
    crash();
    return on_end();
  }
  for (const Arrival& arrival : take_arrivals()) handle(arrival, clock);
  core_->tick(clock);
  if (core_->wants_epoch() && !writing_ && !raise_epoch(clock)) {
    crash();
    return on_end();
  }
  dispatcher::Effects effects = core_->take_effects();
  for (const auto& note : effects.notes) show(note);
  for (const std::size_t broker : effects.reopen_links) links_[broker].reopen();
  check_changes(effects);
  joined_.clear();
  for (const auto& [session, provider] : core_->providers().sessions())
    joined_[session] = provider->ordinal;
  send(std::move(effects.at_once));
  queue_.hold(std::move(effects.durable));
  if (!writing_) {
    if (auto batch = queue_.next(*core_, clock)) {
      begin_commit(*batch);
    } else if (look_again_ <= clock.mono) {
      look_again_ = kNever;
      begin_commit({});
    }
  } else if (!written_ && look_again_ <= clock.mono) {
    look_again_ = kNever;
    dispatcher::store::Batch again = *writing_;
    dispatcher::store::append(again, core_->take_frees(*writing_));
    begin_commit(again);
  }
  send(queue_.release());
  require(queue_.held() <= dispatcher::CommitQueue::kMaxHeld, "{} holds too much back", name());
  env_.oracle->check_core(*core_, disk_.owner == this, is_quiet());
}

/// False when the disk is another's: who was fenced off must not come back with a later epoch.
bool DispatcherHost::raise_epoch(const Now& clock) {
  if (disk_.owner != this) return false;
  const std::uint64_t epoch = core_->epoch() + 1;
  require(disk_.store.begin_epoch(epoch).has_value(), "no epoch");
  core_->raise_epoch(epoch, clock);
  env_.note("{} goes on with epoch {}", name(), epoch);
  return true;
}

Duration DispatcherHost::next_deadline() const {
  Duration at = std::min(core_->next_deadline(), look_again_);
  if (!writing_) at = std::min(at, core_->next_commit());
  return at;
}

/// What cannot be read, and what may not be asked, must leave everything as it was.
void DispatcherHost::handle(const Arrival& arrival, const Now& clock) {
  const bool from_client = arrival.port == Port::kClients;
  const auto message =
      decode(arrival.frame, from_client ? Direction::kFromClient : Direction::kLinkToDispatcher);
  const Identity& who = *arrival.who;
  const bool powerless = from_client && who.kind == Identity::Kind::kNobody;
  const bool bound = from_client && who.kind == Identity::Kind::kClient && !who.is_admin;
  if (message && !powerless && !bound) return handle_as_is(arrival, clock);
  const std::string* except = message && bound ? &who.tenant : nullptr;
  const std::string before = digest(except);
  handle_as_is(arrival, clock);
  require(digest(except) == before, "{}: a frame that means nothing changed something", name());
  env_.coverage.count(message ? "dispatcher refused a stranger" : "dispatcher malformed frame");
}

void DispatcherHost::handle_as_is(const Arrival& arrival, const Now& clock) {
  if (arrival.port == Port::kClients)
    core_->on_client_frame(arrival.peer, *arrival.who, arrival.frame, clock);
  else
    core_->on_link_frame(arrival.line, arrival.frame, clock);
}

/// Of all tasks but those of one tenant.
std::string DispatcherHost::digest(const std::string* except) const {
  std::string all;
  for (const auto& [id, card] : core_->tasks())
    card->look([&, id = id](const dispatcher::Task& task) {
      if (!except || task.spec.tenant != *except)
        all += fmt::format("{} {} {} {} {} {} {};", id, static_cast<int>(task.status), task.current,
                           task.issued.size(), task.log.size(), task.watchers.size(),
                           task.acknowledged);
    });
  for (const auto& [session, provider] : core_->providers().sessions())
    all += fmt::format("{} {} {};", session.short_hex(), static_cast<int>(provider->reach),
                       provider->outstanding());
  return all;
}

// ---- the disk

void DispatcherHost::begin_commit(const dispatcher::store::Batch& batch) {
  writing_ = batch;
  written_.reset();
  const std::uint64_t number = ++writing_number_;
  Duration takes = env_.rng.between(Duration(100), Duration(3'000));
  if (env_.faults.strikes(Fault::kSlowDisk, env_.rng, 10)) takes = env_.rng.ms(100, 8'000);
  env_.scheduler.in(takes, [this, number] {
    if (!writing_ || written_ || number != writing_number_) return;
    settle_commit(true);
    if (is_up()) wake_now();
  });
}

/// The disk's answer; without `written` the process ends before it, and nothing has got there.
void DispatcherHost::settle_commit(bool written) {
  if (!written) {
    env_.faults.count(Fault::kUnsynced);
    return;
  }
  written_ = write(*writing_);
  env_.oracle->check_disk();
}

DispatcherHost::Result DispatcherHost::write(dispatcher::store::Batch& batch) {
  using dispatcher::store::StoreError;
  if (disk_.owner != this) return tl::unexpected(StoreError{StoreFailure::kIo, "taken over"});
  disk_.store.room = StoreDouble::kNoEnd;
  if (env_.faults.strikes(Fault::kIoError, env_.rng, 1)) {
    static constexpr DiskFault kFaults[] = {DiskFault::kWriteError, DiskFault::kSyncError,
                                            DiskFault::kLateSyncError};
    disk_.store.next_fault = env_.rng.pick(kFaults);
  } else if (disk_.full) {
    env_.faults.count(Fault::kDiskFull);
    disk_.store.room = env_.rng.one_in(2) ? 0 : env_.rng.below(batch.size() + 1);
  }
  const std::size_t size = batch.size();
  Result result = dispatcher::store::commit_in_parts(disk_.store, batch);
  if (!result && batch.size() < size) env_.coverage.count("store a part fits");
  return result;
}

/// False: the store cannot be used any more.
bool DispatcherHost::end_commit(const Now& clock) {
  const Result result = *std::exchange(written_, std::nullopt);
  if (!result && result.error().failure != StoreFailure::kFull) {
    writing_.reset();
    return false;
  }
  if (!result) {
    report(StoreReport::State::kFull);
    look_again_ = clock.mono + kLookAgain;
    return true;
  }
  writing_.reset();
  if (queue_.is_running()) queue_.committed();
  report(disk_.low ? StoreReport::State::kLow : StoreReport::State::kOk);
  look_again_ = disk_.low ? clock.mono + kLookAgain : kNever;
  return true;
}

void DispatcherHost::report(StoreReport::State state) {
  StoreReport report;
  report.state = state;
  core_->set_store_report(report);
  env_.coverage.count(fmt::format("store {}", dispatcher::name(state)));
}

// ---- what leaves

void DispatcherHost::send(dispatcher::Messages messages) {
  for (const auto& [broker, message] : messages.to_brokers) {
    if (const auto* parcels = std::get_if<msg::ToNodes>(&message)) send_parcels(*parcels);
    links_[broker].send(brokers_[broker], encode(message));
  }
  for (const auto& [peer, message] : messages.to_clients) {
    std::visit(
        [&](const auto& body) {
          if constexpr (requires { env_.oracle->told(body); }) env_.oracle->told(body);
        },
        message);
    if (env_.network->send_to_client(id(), peer, encode(message)) == Sent::kGone)
      core_->on_client_gone(peer, clock());
  }
}

void DispatcherHost::send_parcels(const msg::ToNodes& message) {
  for (const auto& [session, frame] : message.parcels) {
    const auto inner = decode(frame, Direction::kToNode);
    require(inner.has_value(), "{} sends a node what cannot be read", name());
    if (const auto* assign = std::get_if<msg::Assign>(&*inner))
      for (const auto& entry : assign->entries) {
        env_.note("{} assigns {}/{} to {}", name(), entry.ref.task_id.str(), entry.ref.attempt,
                  session.short_hex());
        env_.oracle->assigned(*core_, config_.prefetch, session, entry.ref);
      }
    if (const auto* acks = std::get_if<msg::ResultAck>(&*inner))
      for (const auto& entry : acks->entries) env_.oracle->acknowledged_result(entry);
  }
}

void DispatcherHost::show(const dispatcher::Note& note) {
  if (!env_.trace.on()) return;
  std::string fields;
  for (const auto& [key, value] : note.fields)
    std::visit(
        [&, key = key](const auto& v) {
          if constexpr (fmt::is_formattable<std::decay_t<decltype(v)>>::value)
            fields += fmt::format(" {}={}", key, v);
        },
        value.v);
  env_.note("{}: {}{}", name(), note.text, fields);
}

/// Every edge that a task took since the last pass. A node that may go on with what is not its task
/// any more must be told.
void DispatcherHost::check_changes(const dispatcher::Effects& effects) {
  std::set<AssignmentRef> aborted;
  for (const auto* messages : {&effects.at_once, &effects.durable})
    for (const auto& [broker, message] : messages->to_brokers)
      if (const auto* parcels = std::get_if<msg::ToNodes>(&message))
        for (const auto& [session, frame] : parcels->parcels)
          if (const auto inner = decode(frame, Direction::kToNode))
            if (const auto* abort = std::get_if<msg::Abort>(&*inner))
              for (const auto& entry : abort->entries) aborted.insert(entry.ref);
  for (const auto& [key, card] : core_->tasks()) {
    const dispatcher::Task* const task = card->task.get();
    if (!task) continue;
    std::size_t& seen = log_seen_[task->id];
    for (; seen < task->log.size(); ++seen) {
      const auto entry = task->log.at(seen);
      env_.note("{}: {} is {}: {}", name(), key, genai::name(entry.status), entry.reason);
      if (seen == 0) continue;
      const auto from = task->log.at(seen - 1);
      env_.coverage.count(
          fmt::format("task {}>{}", genai::name(from.status), genai::name(entry.status)));
      if (from.status != entry.status && from.attempt != 0) check_let_go(*task, from, aborted);
    }
  }
}

void DispatcherHost::check_let_go(const dispatcher::Task& task, const dispatcher::LogEntry& from,
                                  const std::set<AssignmentRef>& aborted) {
  if (from.status != TaskStatus::kScheduled && from.status != TaskStatus::kSent) return;
  const auto* attempt = task.attempt(from.attempt);
  if (!attempt || !attempt->open || attempt->epoch != core_->epoch()) return;
  if (task.is_assigned() && task.current == attempt->number) return;
  const auto it = core_->providers().sessions().find(attempt->session);
  if (it == core_->providers().sessions().end()) return;
  if (it->second->reach == dispatcher::Reach::kUnreachable) return;
  // Lost and found meanwhile: it is told when it says what it holds.
  if (const auto was = joined_.find(attempt->session);
      was == joined_.end() || was->second != it->second->ordinal)
    return;
  require(aborted.contains({task.id, attempt->number, attempt->epoch}),
          "{}: attempt {} lives on at {}, which is not told", task.id.str(), attempt->number,
          attempt->node_id.str());
}

}  // namespace genai::sim
