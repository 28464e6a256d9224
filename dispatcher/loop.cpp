#include "dispatcher/loop.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>

#include "dispatcher/offer_changes.h"
#include "protocol/base/limits.h"
#include "protocol/runtime/logging.h"
#include "protocol/runtime/options.h"
#include "protocol/transport/drain.h"
#include "protocol/transport/system.h"

namespace genai::dispatcher {
namespace {

using transport::SendResult;

constexpr int kClientQueueMessages = 0;  // what clients do not read is bounded in bytes alone
constexpr int kLinkQueueMessages = 100'000;
// Of the clients, and of each link. While this process works on what came, the others wait for what
// it will say, and then it waits for them: the shorter a turn, the more of it overlaps, until the
// end of a turn costs more than that brings.
constexpr transport::Turn kTurn{1000, 64u << 20, Duration(300)};
constexpr std::size_t kSignals = 0;  // in the poll set

/// What each broker is to be known by. The files were looked at when the options were.
std::vector<std::optional<transport::CurveClient>> curves_of(const Options& options,
                                                             const transport::Guard& guard) {
  const auto& keys = options.broker_keys;
  std::vector<std::optional<transport::CurveClient>> curves(options.brokers.size());
  for (std::size_t i = 0; i < curves.size() && !keys.empty(); ++i) {
    const auto key = transport::public_key_of(keys.size() == 1 ? keys.front() : keys[i]);
    if (!key) throw std::runtime_error(key.error().detail);
    curves[i] = transport::CurveClient{*guard.own_key(), *key};
  }
  return curves;
}

/// Unless an option says how much may be kept of results.
std::uint64_t usual_result_bytes(const store::Store& store) {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  return store.disk_bytes() == 0 ? kGib : std::min(50 * kGib, store.disk_bytes() / 2);
}

Config with_store(Config config, const store::Store& store) {
  config.durable = store.is_durable();
  config.largest_inline = store.largest_inline();
  if (config.max_result_bytes == 0) config.max_result_bytes = usual_result_bytes(store);
  return config;
}

}  // namespace

Loop::Loop(const Options& options, store::Start start)
    : options_(options),
      guard_(context_, options.security),
      clients_(context_, {limits::kMaxFrameBytes, kClientQueueMessages, limits::kMaxUnreadMessages},
               guard_.key_for(options.clients_endpoint)),
      curves_(curves_of(options, guard_)),
      store_(std::move(start.store)),
      lease_(start.lease),
      dispatcher_(with_store(options.config, *store_), transport::random_id<InstanceId>(),
                  lease_.epoch, options.brokers, transport::read_clock()),
      committer_({.name = std::string(store_->name()),
                  .durable = store_->is_durable(),
                  .low = store_->room() == store::Room::kLow},
                 transport::read_clock()) {
  for (std::size_t i = 0; i < options_.brokers.size(); ++i) links_.push_back(make_link(i));
  dispatcher_.handle(committer_.report());
  dispatcher_.read_debug_notes(runtime::log_enabled(runtime::LogLevel::kDebug));
}

transport::Dealer Loop::make_link(std::size_t broker) {
  return transport::Dealer(
      context_, {limits::kMaxLinkFrameBytes, kLinkQueueMessages, limits::kMaxUnreadMessages},
      options_.brokers[broker], curves_[broker]);
}

store::Result<void> Loop::load() {
  for (std::optional<store::Cursor> next = store::Cursor{}; next;) {
    auto page = store_->load(lease_, *next);
    if (!page) return tl::unexpected(page.error());
    next = page->next;
    dispatcher_.restore(std::move(*page), transport::read_clock());
  }
  if (auto reader = store_->reader()) reads_.emplace(std::move(reader));
  if (store_->is_durable()) commits_.emplace(*store_, lease_);
  return {};
}

Expected<void> Loop::bind() {
  const auto clients = clients_.bind(options_.clients_endpoint);
  if (!clients) return fail(clients.error().code, "clients-endpoint: " + clients.error().detail);
  if (commits_)
    runtime::log_info("tasks are kept on disk", {{"store", committer_.report().name},
                                                 {"data_dir", options_.store.data_dir},
                                                 {"tasks", dispatcher_.live_tasks()},
                                                 {"results", dispatcher_.unfetched_results()}});
  else
    runtime::log_warn("tasks are kept in memory only: a crash of this process loses them",
                      {{"store", committer_.report().name}});
  runtime::log_info("dispatcher ready", {{"clients_endpoint", *clients}});
  return {};
}

/// What is not going to be read must not wake the loop.
void Loop::fill_poll_set(runtime::SignalFd& signals) {
  poll_.clear();
  poll_.add_fd(signals.fd());  // the first: kSignals
  if (guard_.reload_fd() >= 0) poll_.add_fd(guard_.reload_fd());
  if (reading_ == Reading::kAll) poll_.add(clients_);
  if (reading_ != Reading::kNothing)
    for (auto& link : links_) poll_.add(link);
  if (commits_) poll_.add_fd(commits_->fd());
  if (reads_) poll_.add_fd(reads_->fd());
}

Duration Loop::next_deadline() const {
  Duration at = std::min({drain_ends_, committer_.next_deadline(), unread_.next_deadline()});
  // A core that stops is not ticked any more.
  if (!committer_.is_stopping()) at = std::min(at, dispatcher_.next_deadline());
  return at;
}

int Loop::run(runtime::SignalFd& signals) {
  fill_poll_set(signals);
  bool more = false;
  for (;;) {
    if (const Reading now_reading = committer_.reading(); now_reading != reading_) {
      reading_ = now_reading;
      fill_poll_set(signals);
    }
    const Duration due = next_deadline();
    const Duration idle = due == kNever ? kNever : due - transport::read_clock().mono;
    poll_.wait(more ? Duration(0) : idle);
    const Now now = transport::read_clock();
    if (poll_.readable(kSignals)) on_signals(signals, now);
    if (const KeySet revoked = guard_.take_revoked(); !revoked.empty())
      dispatcher_.handle(KeysRevoked{revoked}, now);
    // Before anything new is looked at the next commit begins, and what waited for this one leaves.
    end_commit(now);
    end_reads();
    if (dispatcher_.wants_epoch() && !committer_.is_stopping()) raise_epoch(signals, now);
    if (broken_) return store::exit_code(broken_->failure);
    more = false;
    if (reading_ == Reading::kAll) more = drain_clients(now);
    if (reading_ != Reading::kNothing)
      for (std::size_t i = 0; i < links_.size(); ++i) more |= drain_link(i, now);
    // Who is not read any more must not be judged, nor given work.
    if (!committer_.is_stopping()) dispatcher_.expire(now);
    apply(signals, now);
    tell_unread(now);
    if (is_done(now)) return stopped();
  }
}

int Loop::stopped() {
  const std::size_t left = dispatcher_.live_tasks(), results = dispatcher_.unfetched_results();
  if (commits_) {
    if (!committer_.is_idle())
      runtime::log_warn(
          "stopped before the last changes were written: they were promised to nobody");
    runtime::log_info("dispatcher stops", {{"tasks_kept", left}, {"results_kept", results}});
    return committer_.is_idle() ? runtime::kExitOk : runtime::kExitFailure;
  }
  if (left > 0) runtime::log_warn("stopped with tasks left behind", {{"tasks", left}});
  if (results > 0)
    runtime::log_warn("results that nobody fetched end with this process", {{"results", results}});
  runtime::log_info("dispatcher stops");
  return left == 0 ? runtime::kExitOk : runtime::kExitFailure;
}

/// True when messages may be left.
bool Loop::drain_clients(const Now& now) {
  return transport::drain(clients_, kTurn, [&](const transport::Received& received) {
    const Identity& who = guard_.identify(clients_, received);
    if (received.well_formed)
      dispatcher_.handle(ClientFrame{received.peer, who, received.frame}, now);
    else
      dispatcher_.handle(ClientMalformed{received.peer, who}, now);
  });
}

bool Loop::drain_link(std::size_t broker, const Now& now) {
  return transport::drain(links_[broker], kTurn, [&](const transport::Received& received) {
    dispatcher_.handle(LinkFrame{broker, received.frame}, now);
  });
}

void Loop::apply(runtime::SignalFd& signals, const Now& now) {
  Effects effects = dispatcher_.take_events();
  for (const LogEvent& note : effects.notes) log_.write(note, now.mono);
  reopen(effects.reopen_links, signals);
  send_to_brokers(effects.at_once);  // work first
  send_to_clients(effects.at_once, now);
  for (const ReadData& read : effects.reads) reads_->start(read);
  commit(std::move(effects.durable), now);
}

void Loop::reopen(const std::vector<std::size_t>& brokers, runtime::SignalFd& signals) {
  for (const std::size_t broker : brokers)
    if (!transport::renew(links_[broker], [&] { return make_link(broker); }))
      runtime::log_warn("no file descriptor left for a new connection: the old one is kept",
                        {{"broker", options_.brokers[broker]}});
  if (!brokers.empty()) fill_poll_set(signals);
}

void Loop::send_to_brokers(const Messages& messages) {
  // A link that takes nothing is down or stalled: its heartbeats tell, and all that is lost with it
  // is repeated after the next snapshot.
  for (const auto& [broker, message] : messages.to_brokers) links_[broker].send(encode(message));
}

void Loop::send_to_clients(const Messages& messages, const Now& now) {
  // Results are sent again until they are acknowledged. Of other answers that did not fit the
  // client is told: it must not wait for them.
  for (const auto& [peer, message] : messages.to_clients) {
    const SendResult sent = clients_.send(peer, encode(message));
    if (sent == SendResult::kGone) {
      dispatcher_.handle(ClientGone{peer}, now);
      unread_.forget(peer);
    } else if (sent == SendResult::kFull && Unread::is_answer(message)) {
      dispatcher_.count_dropped_answer();
      unread_.dropped(peer, now.mono);
    }
  }
}

void Loop::tell_unread(const Now& now) {
  unread_.tell(now.mono, [&](const std::string& peer, const msg::ErrorReply& message) {
    const SendResult sent = clients_.send(peer, encode(ClientReply(message)));
    if (sent == SendResult::kGone) dispatcher_.handle(ClientGone{peer}, now);
    if (sent == SendResult::kQueued)
      log_.write({LogEvent::Level::kWarn,
                  "a client did not read: it was told",
                  {{"told", message.detail}}},
                 now.mono);
    return sent != SendResult::kFull;
  });
}

// ---- the store

/// `promises`: what this pass wants to say once all that has changed is written.
void Loop::commit(Messages promises, const Now& now) {
  offer_changes(dispatcher_, committer_, std::move(promises), now);
  for (Committer::Event& event : committer_.take_events())
    std::visit([&](auto& body) { on(body, now); }, event);
}

/// When a commit has ended the next one begins, and what waited for this one leaves.
void Loop::end_commit(const Now& now) {
  if (!commits_) return;
  auto done = commits_->poll();
  if (!done) return;
  committer_.handle(std::move(*done), now);
  dispatcher_.handle(committer_.report());
  commit({}, now);
}

void Loop::on(Committer::Write& event, const Now&) { commits_->start(std::move(event.batch)); }

void Loop::on(Committer::Look&, const Now&) { commits_->start({}); }

void Loop::end_reads() {
  if (!reads_) return;
  for (DataRead& read : reads_->poll()) dispatcher_.handle(std::move(read));
}

void Loop::on(Committer::Release& event, const Now& now) {
  send_to_clients(event.messages, now);  // results first: nodes only wait to forget them
  send_to_brokers(event.messages);
}

void Loop::on(Committer::Failed& event, const Now&) {
  if (event.error.failure == store::Failure::kFenced)
    runtime::log_error("another dispatcher has taken the store over: stopping",
                       {{"error", event.error.detail}});
  else
    runtime::log_error("the store failed: stopping, since only a restart finds what is on the disk",
                       {{"error", event.error.detail}});
  broken_ = std::move(event.error);
}

/// Nobody else may have the store: that it takes a later epoch shows that this process still does.
void Loop::raise_epoch(runtime::SignalFd& signals, const Now& now) {
  if (committer_.is_running() || committer_.is_busy()) return;
  const std::uint64_t epoch = std::max(dispatcher_.least_epoch(), to_ms(now.wall));
  const bool has_thread = commits_.has_value();
  commits_.reset();  // the store is its thread's as long as that lives
  const auto renewed = store_->renew(lease_, epoch);
  if (renewed) lease_ = *renewed;
  if (has_thread) commits_.emplace(*store_, lease_);
  fill_poll_set(signals);
  if (renewed) {
    runtime::log_info("the dispatcher that took over is gone: asking to serve again",
                      {{"epoch", epoch}});
    return dispatcher_.raise_epoch(epoch, now);
  }
  const store::Failure failure = renewed.error().failure;  // passes, as that of a commit does
  if (failure == store::Failure::kFull || failure == store::Failure::kLocked) return;
  broken_ = renewed.error();
  runtime::log_error("the store refuses a later epoch: stopping",
                     {{"error", renewed.error().detail}});
}

void Loop::on(const Committer::StateChanged& event, const Now&) {
  switch (event.state) {
    case StoreReport::State::kOk:
      return runtime::log_info("the disk has room again: new tasks are taken");
    case StoreReport::State::kLow:
      return runtime::log_warn("the disk is nearly full: no new tasks until there is room",
                               {{"data_dir", options_.store.data_dir}});
    case StoreReport::State::kFull:
      return runtime::log_error("nothing can be written: no new tasks, no new work, trying again",
                                {{"error", event.detail}});
  }
}

void Loop::on_signals(runtime::SignalFd& signals, const Now& now) {
  while (const auto signo = signals.read()) {
    if (*signo == SIGHUP) guard_.reload();
    const auto before = drain_state_.phase();
    if (drain_state_.on_signal(*signo) == before) continue;
    if (before == runtime::DrainState::Phase::kRunning) {
      dispatcher_.stop();
      // With a durable store there is nothing to wait for but the disk.
      if (commits_) committer_.handle(Committer::Stop{}, now);
      drain_ends_ = now.mono + options_.drain_timeout;
      runtime::log_info("draining: no new tasks; a second signal stops at once",
                        {{"signal", *signo}, {"tasks", dispatcher_.live_tasks()}});
    }
  }
}

bool Loop::is_done(const Now& now) const {
  switch (drain_state_.phase()) {
    case runtime::DrainState::Phase::kRunning:
      return false;
    case runtime::DrainState::Phase::kDraining:
      if (drain_ends_ <= now.mono) return true;
      return commits_ ? committer_.is_done() : dispatcher_.is_idle();
    case runtime::DrainState::Phase::kForced:
      return true;
  }
  return true;
}

}  // namespace genai::dispatcher
