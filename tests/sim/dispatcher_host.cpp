#include "dispatcher_host.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "dispatcher/offer_changes.h"
#include "protocol/wire/messages.h"

namespace genai::sim {

using dispatcher::Committer;
using DiskFault = dispatcher::test::Fault;
using StoreFailure = dispatcher::store::Failure;

namespace {

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
  ++life_;
  const auto acquired = disk_.store.acquire(name(), 1);
  require(acquired.has_value(), "{} gets no lease", name());
  lease_ = *acquired;
  core_ = std::make_unique<dispatcher::Dispatcher>(
      config_, env_.fresh_id<InstanceId>(), lease_.epoch,
      std::vector<std::string>(brokers_.size(), "broker"), now);
  for (std::optional<dispatcher::store::Cursor> next = dispatcher::store::Cursor{}; next;) {
    auto page = disk_.store.load(lease_, *next);
    require(page.has_value(), "{} cannot load", name());
    next = page->next;
    core_->restore(std::move(*page), now);
  }
  Committer::Settings settings{.name = "double", .durable = true, .low = disk_.store.low};
  if (env_.rng.one_in(4)) {  // as if it could not keep much in memory
    settings.max_held_messages = 8 + env_.rng.below(8);
    settings.max_unwritten_bytes = env_.rng.below(200);
  }
  committer_ = std::make_unique<Committer>(std::move(settings), now);
  core_->handle(committer_->report());
  writing_.reset();
  written_.reset();
  failed_ = false;
  for (Line& link : links_) link.reopen();
  forget_arrivals();
  unread_.clear();
  log_seen_.clear();
  joined_.clear();
  for (const dispatcher::Known& known : core_->tasks())
    if (const auto* const task = known.present()) log_seen_[task->id] = task->log.size();
  env_.note("{} starts with epoch {} and {} tasks", name(), lease_.epoch, core_->tasks().size());
  wake_now();
}

void DispatcherHost::crash() {
  env_.note("{} is killed", name());
  lose_lease();
  env_.oracle->gone(*core_);
  core_.reset();
  forget_arrivals();
  unread_.clear();
  env_.network->close_all(id());
  for (Line& link : links_) link.reopen();
}

void DispatcherHost::lose_lease() {
  if (!has_lease()) return;
  if (writing_ && !written_) settle_write(env_.rng.one_in(2));
  disk_.store.expire();
}

// ---- one pass of the loop

void DispatcherHost::run(const Now& clock) {
  if (written_) {
    writing_.reset();
    committer_->handle(*std::exchange(written_, std::nullopt), clock);
    core_->handle(committer_->report());
    commit({}, clock);
  }
  if (failed_) {
    crash();
    return on_end();
  }
  read_arrivals(clock);
  core_->expire(clock);
  const bool is_free = !committer_->is_running() && !committer_->is_busy();
  if (core_->wants_epoch() && is_free && !raise_epoch(clock)) {
    crash();
    return on_end();
  }
  dispatcher::Effects effects = core_->take_events();
  for (const auto& note : effects.notes) show(note);
  for (const std::size_t broker : effects.reopen_links) links_[broker].reopen();
  check_changes(effects);
  joined_.clear();
  for (const auto& [session, provider] : core_->providers().sessions())
    joined_[session] = provider->ordinal;
  send(std::move(effects.at_once));
  for (const dispatcher::ReadData& read : effects.reads) begin_read(read);
  commit(std::move(effects.durable), clock);
  committer_->check();
  env_.oracle->check_core(*core_, has_lease(), is_quiet());
}

/// Clients wait in their turn while too much waits for the disk.
void DispatcherHost::read_arrivals(const Now& clock) {
  const bool reads_clients = committer_->reading() == Committer::Reading::kAll;
  if (!reads_clients) env_.coverage.count("store behind: clients wait");
  auto arrivals = reads_clients ? std::exchange(unread_, {}) : std::deque<Arrival>();
  std::ranges::move(take_arrivals(), std::back_inserter(arrivals));
  for (Arrival& arrival : arrivals)
    if (reads_clients || arrival.port != Port::kClients)
      handle(arrival, clock);
    else
      unread_.push_back(std::move(arrival));
}

/// False when another has the lease: who was fenced off must not come back with a later epoch.
bool DispatcherHost::raise_epoch(const Now& clock) {
  const auto renewed = disk_.store.renew(lease_, core_->epoch() + 1);
  if (!renewed) return false;
  lease_ = *renewed;
  core_->raise_epoch(lease_.epoch, clock);
  env_.note("{} goes on with epoch {}", name(), lease_.epoch);
  return true;
}

Duration DispatcherHost::next_deadline() const {
  return std::min(core_->next_deadline(), committer_->next_deadline());
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
    core_->handle(dispatcher::ClientFrame{arrival.peer, *arrival.who, arrival.frame}, clock);
  else
    core_->handle(dispatcher::LinkFrame{arrival.line, arrival.frame}, clock);
}

/// Of all tasks but those of one tenant.
std::string DispatcherHost::digest(const std::string* except) const {
  std::string all;
  for (const dispatcher::Known& known : core_->tasks()) {
    if (except && known.tenant() == *except) continue;
    const dispatcher::TaskView task(known);
    const auto& clients = core_->clients();
    all += fmt::format("{} {} {} {} {} {} {};", known.id(), static_cast<int>(task->status),
                       task->current, task->issued.size(), task->log.size(),
                       known.present() ? clients.watchers(*task) : 0,
                       !task->fetched && clients.is_acknowledged(*task));
  }
  for (const auto& [session, provider] : core_->providers().sessions())
    all += fmt::format("{} {} {};", session.short_hex(), static_cast<int>(provider->reach),
                       provider->outstanding());
  return all;
}

// ---- the disk

void DispatcherHost::commit(dispatcher::Messages promises, const Now& clock) {
  dispatcher::offer_changes(*core_, *committer_, std::move(promises), clock);
  for (Committer::Event& event : committer_->take_events())
    std::visit([&](auto& body) { on(body); }, event);
}

void DispatcherHost::on(Committer::Write& event) { begin_write(std::move(event.batch)); }

void DispatcherHost::on(Committer::Look&) { begin_write({}); }

void DispatcherHost::on(Committer::Release& event) { send(std::move(event.messages)); }

void DispatcherHost::on(const Committer::StateChanged& event) {
  env_.note("{}: the store is {}", name(), dispatcher::name(event.state));
  env_.coverage.count(fmt::format("store {}", dispatcher::name(event.state)));
}

void DispatcherHost::on(const Committer::Failed&) { failed_ = true; }

void DispatcherHost::begin_write(dispatcher::store::Batch batch) {
  writing_ = std::move(batch);
  written_.reset();
  const std::uint64_t number = ++writing_number_;
  Duration takes = env_.rng.between(Duration(100), Duration(3'000));
  if (env_.faults.strikes(Fault::kSlowDisk, env_.rng, 10)) takes = env_.rng.ms(100, 8'000);
  env_.scheduler.in(takes, [this, number] {
    if (!writing_ || written_ || number != writing_number_) return;
    settle_write(true);
    if (is_up()) wake_now();
  });
}

/// Others may have changed what is there meanwhile.
void DispatcherHost::begin_read(const dispatcher::ReadData& read) {
  Duration takes = env_.rng.between(Duration(100), Duration(3'000));
  if (env_.faults.strikes(Fault::kSlowDisk, env_.rng, 10)) takes = env_.rng.ms(100, 8'000);
  env_.scheduler.in(takes, [this, read, life = life_] {
    if (!is_up() || life != life_) return;
    auto bytes = disk_.store.read(read.key, read.offset, read.bytes);
    env_.coverage.count(bytes ? "data read" : "data gone before it was read");
    core_->handle(dispatcher::DataRead{read.number, std::move(bytes)});
    wake_now();
  });
}

/// The disk's answer; without `written` the process ends before it, and nothing has got there.
void DispatcherHost::settle_write(bool written) {
  if (!written) {
    env_.faults.count(Fault::kUnsynced);
    return;
  }
  written_ = write(std::move(*writing_));
  env_.oracle->check_disk();
}

/// The same as CommitThread does, on a disk with faults.
dispatcher::store::CommitReport DispatcherHost::write(dispatcher::store::Batch batch) {
  dispatcher::store::CommitReport report;
  report.entries = batch.size();
  report.low = disk_.store.room() == dispatcher::store::Room::kLow;
  disk_.store.space = StoreDouble::kNoEnd;
  if (batch.empty()) {
    if (const auto renewed = disk_.store.renew(lease_, 0); !renewed)
      report.result = tl::unexpected(renewed.error());
    return report;
  }
  if (env_.faults.strikes(Fault::kIoError, env_.rng, 1)) {
    static constexpr DiskFault kFaults[] = {DiskFault::kWriteError, DiskFault::kSyncError,
                                            DiskFault::kLateSyncError};
    disk_.store.next_fault = env_.rng.pick(kFaults);
  } else if (disk_.full) {
    env_.faults.count(Fault::kDiskFull);
    disk_.store.space = env_.rng.one_in(2) ? 0 : env_.rng.below(batch.size() + 1);
  }
  report.result = disk_.store.commit(lease_, batch);
  if (report.result) return report;
  if (report.result.error().failure == StoreFailure::kFenced)
    env_.coverage.count("store commit fenced");
  if (batch.size() < report.entries) env_.coverage.count("store a part fits");
  report.left = std::move(batch);
  return report;
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
      core_->handle(dispatcher::ClientGone{peer}, clock());
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
  for (const dispatcher::Known& known : core_->tasks()) {
    const dispatcher::Task* const task = known.present();
    if (!task) continue;
    std::size_t& seen = log_seen_[task->id];
    for (; seen < task->log.size(); ++seen) {
      const auto entry = task->log.at(seen);
      env_.note("{}: {} is {}: {}", name(), known.id(), genai::name(entry.status), entry.reason);
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
