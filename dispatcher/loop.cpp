#include "dispatcher/loop.h"

#include <algorithm>
#include <csignal>
#include <stdexcept>

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
// What waits for the disk in memory: beyond it clients are not read, and wait in their turn.
constexpr std::size_t kMaxHeldMessages = 100'000;
constexpr std::size_t kMaxUncommittedBytes = std::size_t{256} << 20;
constexpr std::size_t kSignals = 0;  // in the poll set
// At the room while it is short, and else at whether the files are still there.
constexpr Duration kLookAgain = from_ms(1000), kLookAtFiles = from_ms(10'000);

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

Config with_store(Config config, const store::Store& store) {
  config.durable = store.is_durable();
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
      core_(with_store(options.config, *store_), transport::random_id<InstanceId>(), start.epoch,
            options.brokers, transport::read_clock()) {
  for (std::size_t i = 0; i < options_.brokers.size(); ++i) links_.push_back(make_link(i));
  core_.restore(std::move(start.loaded), transport::read_clock());
  report_.name = store_->name();
  if (store_->is_durable()) {
    if (store_->is_low()) set_store_state(StoreReport::State::kLow);
    look_again_ = transport::read_clock().mono + kLookAgain;
    commits_.emplace(*store_);
  }
  core_.set_store_report(report_);
  core_.read_debug_notes(runtime::log_enabled(runtime::LogLevel::kDebug));
}

transport::Dealer Loop::make_link(std::size_t broker) {
  return transport::Dealer(
      context_, {limits::kMaxLinkFrameBytes, kLinkQueueMessages, limits::kMaxUnreadMessages},
      options_.brokers[broker], curves_[broker]);
}

Expected<void> Loop::bind() {
  const auto clients = clients_.bind(options_.clients_endpoint);
  if (!clients) return fail(clients.error().code, "clients-endpoint: " + clients.error().detail);
  if (commits_)
    runtime::log_info("tasks are kept on disk", {{"store", report_.name},
                                                 {"data_dir", options_.store.data_dir},
                                                 {"tasks", core_.live_tasks()},
                                                 {"results", core_.unfetched_results()}});
  else
    runtime::log_warn("tasks are kept in memory only: a crash of this process loses them",
                      {{"store", report_.name}});
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
}

Loop::Reading Loop::choose_reading() const {
  if (is_stopping()) return Reading::kNothing;
  const bool behind =
      queue_.held() > kMaxHeldMessages || core_.uncommitted_bytes() > kMaxUncommittedBytes;
  return behind ? Reading::kLinks : Reading::kAll;
}

Duration Loop::next_deadline() const {
  // What stops is not ticked any more.
  Duration at = is_stopping() ? drain_ends_ : std::min(core_.next_deadline(), drain_ends_);
  at = std::min(at, unread_.next_deadline());
  // While a commit runs, its end is what the rest waits for.
  if (!commits_ || !commits_->is_busy())
    at = std::min({at, look_again_, queue_.is_running() ? kNever : core_.next_commit()});
  return at;
}

int Loop::run(runtime::SignalFd& signals) {
  fill_poll_set(signals);
  bool more = false;
  for (;;) {
    if (const Reading now_reading = choose_reading(); now_reading != reading_) {
      reading_ = now_reading;
      fill_poll_set(signals);
    }
    const Duration due = next_deadline();
    const Duration idle = due == kNever ? kNever : due - transport::read_clock().mono;
    poll_.wait(more ? Duration(0) : idle);
    const Now now = transport::read_clock();
    if (poll_.readable(kSignals)) on_signals(signals, now);
    if (const KeySet revoked = guard_.take_revoked(); !revoked.empty())
      core_.on_keys_revoked(revoked, now);
    // Before anything new is looked at the next commit begins, and what waited for this one leaves.
    if (poll_commit(now)) commit_and_release(now);
    if (core_.wants_epoch() && !is_stopping()) raise_epoch(signals, now);
    if (broken_) return store::exit_code(broken_->failure);
    more = false;
    if (reading_ == Reading::kAll) more = drain_clients(now);
    if (reading_ != Reading::kNothing)
      for (std::size_t i = 0; i < links_.size(); ++i) more |= drain_link(i, now);
    // Who is not read any more must not be judged, nor given work.
    if (!is_stopping()) core_.tick(now);
    apply(signals, now);
    tell_unread(now);
    if (is_done(now)) return stopped();
  }
}

int Loop::stopped() {
  const std::size_t left = core_.live_tasks(), results = core_.unfetched_results();
  if (commits_) {
    if (!queue_.is_idle())
      runtime::log_warn(
          "stopped before the last changes were written: they were promised to nobody");
    runtime::log_info("dispatcher stops", {{"tasks_kept", left}, {"results_kept", results}});
    return queue_.is_idle() ? runtime::kExitOk : runtime::kExitFailure;
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
      core_.on_client_frame(received.peer, who, received.frame, now);
    else
      core_.on_malformed_client(received.peer, who, now);
  });
}

bool Loop::drain_link(std::size_t broker, const Now& now) {
  return transport::drain(links_[broker], kTurn, [&](const transport::Received& received) {
    core_.on_link_frame(broker, received.frame, now);
  });
}

void Loop::apply(runtime::SignalFd& signals, const Now& now) {
  Effects effects = core_.take_effects();
  for (const Note& note : effects.notes) log_.write(note, now.mono);
  reopen(effects.reopen_links, signals);
  send_to_brokers(effects.at_once);  // work first
  send_to_clients(effects.at_once, now);
  queue_.hold(std::move(effects.durable));
  commit_and_release(now);
}

/// All that the changes so far promise is held by now.
void Loop::commit_and_release(const Now& now) {
  start_commit(now);
  const Messages released = queue_.release();
  send_to_clients(released, now);  // results first: nodes only wait to forget them
  send_to_brokers(released);
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
      core_.on_client_gone(peer, now);
      unread_.forget(peer);
    } else if (sent == SendResult::kFull && Unread::is_answer(message)) {
      core_.count_dropped_answer();
      unread_.dropped(peer, now.mono);
    }
  }
}

void Loop::tell_unread(const Now& now) {
  unread_.tell(now.mono, [&](const std::string& peer, const msg::ErrorReply& message) {
    const SendResult sent = clients_.send(peer, encode(message));
    if (sent == SendResult::kGone) core_.on_client_gone(peer, now);
    if (sent == SendResult::kQueued)
      log_.write(
          {Note::Level::kWarn, "a client did not read: it was told", {{"told", message.detail}}},
          now.mono);
    return sent != SendResult::kFull;
  });
}

// ---- the store

void Loop::start_commit(const Now& now) {
  if (commits_ && commits_->is_busy()) return;
  if (auto batch = queue_.next(core_, now, is_stopping())) {
    commits_->start(std::move(*batch));
  } else if (look_again_ <= now.mono) {
    look_again_ = kNever;
    if (const store::Batch* stuck = commits_->stuck(); stuck && queue_.is_running())
      commits_->retry(core_.take_frees(*stuck));
    else
      commits_->start({});
  }
}

/// Whether a commit has ended well.
bool Loop::poll_commit(const Now& now) {
  if (!commits_) return false;
  const auto done = commits_->poll();
  if (!done) return false;
  if (!done->result) {
    const store::StoreError& error = done->result.error();
    if (error.failure == store::Failure::kFull || error.failure == store::Failure::kLocked) {
      on_full(error.detail, now);
      return false;
    }
    broken_ = error;
    runtime::log_error("the store failed: stopping, since only a restart finds what is on the disk",
                       {{"error", error.detail}});
    return false;
  }
  if (done->tasks > 0) {
    queue_.committed();
    ++report_.commits;
    report_.tasks += done->tasks;
    report_.last_us = done->took_us;
  }
  set_store_state(done->low ? StoreReport::State::kLow : StoreReport::State::kOk);
  look_again_ = now.mono + (done->low ? kLookAgain : kLookAtFiles);
  core_.set_store_report(report_);
  return true;
}

/// Nothing that waits for this batch was promised to anybody, so it can wait for room.
void Loop::on_full(const std::string& detail, const Now& now) {
  set_store_state(StoreReport::State::kFull, detail);
  look_again_ = now.mono + kLookAgain;
  core_.set_store_report(report_);
}

/// Nobody else may have the store: that it takes a later epoch shows that this process still does.
void Loop::raise_epoch(runtime::SignalFd& signals, const Now& now) {
  if (queue_.is_running() || (commits_ && commits_->is_busy())) return;
  const std::uint64_t epoch = std::max(core_.least_epoch(), to_ms(now.wall));
  const bool has_thread = commits_.has_value();
  commits_.reset();  // the store is its thread's as long as that lives
  const auto kept = store_->begin_epoch(epoch);
  if (has_thread) commits_.emplace(*store_);
  fill_poll_set(signals);
  if (kept) {
    runtime::log_info("the dispatcher that took over is gone: asking to serve again",
                      {{"epoch", epoch}});
    return core_.raise_epoch(epoch, now);
  }
  const store::Failure failure = kept.error().failure;  // passes, as that of a commit does
  if (failure == store::Failure::kFull || failure == store::Failure::kLocked) return;
  broken_ = kept.error();
  runtime::log_error("the store refuses a later epoch: stopping", {{"error", kept.error().detail}});
}

void Loop::set_store_state(StoreReport::State state, const std::string& detail) {
  if (std::exchange(report_.state, state) == state) return;
  switch (state) {
    case StoreReport::State::kOk:
      return runtime::log_info("the disk has room again: new tasks are taken");
    case StoreReport::State::kLow:
      return runtime::log_warn("the disk is nearly full: no new tasks until there is room",
                               {{"data_dir", options_.store.data_dir}});
    case StoreReport::State::kFull:
      return runtime::log_error("nothing can be written: no new tasks, no new work, trying again",
                                {{"error", detail}});
  }
}

void Loop::on_signals(runtime::SignalFd& signals, const Now& now) {
  while (const auto signo = signals.read()) {
    if (*signo == SIGHUP) guard_.reload();
    const auto before = drain_state_.phase();
    if (drain_state_.on_signal(*signo) == before) continue;
    if (before == runtime::DrainState::Phase::kRunning) {
      core_.drain();
      drain_ends_ = now.mono + options_.drain_timeout;
      runtime::log_info("draining: no new tasks; a second signal stops at once",
                        {{"signal", *signo}, {"tasks", core_.live_tasks()}});
    }
  }
}

bool Loop::is_done(const Now& now) const {
  switch (drain_state_.phase()) {
    case runtime::DrainState::Phase::kRunning:
      return false;
    case runtime::DrainState::Phase::kDraining:
      if (drain_ends_ <= now.mono) return true;
      // What cannot be written was promised to nobody, and room may never come.
      if (commits_ && report_.state == StoreReport::State::kFull) return true;
      return commits_ ? queue_.is_idle() && !core_.has_changes() : core_.is_idle();
    case runtime::DrainState::Phase::kForced:
      return true;
  }
  return true;
}

}  // namespace genai::dispatcher
