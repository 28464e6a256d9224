#include "dispatcher/loop.h"

#include <algorithm>

#include "protocol/limits.h"
#include "protocol/process/logging.h"
#include "protocol/transport/system.h"

namespace genai::dispatcher {
namespace {

using transport::SendResult;

constexpr int kClientQueueMessages = 10'000;
constexpr int kLinkQueueMessages = 100'000;
constexpr std::size_t kDrainMessages = 1000;
// What is drained waits in memory until it is handled.
constexpr std::size_t kDrainBytes = 64u << 20;

process::LogLevel level_of(Note::Level level) {
  switch (level) {
    case Note::Level::kDebug:
      return process::LogLevel::kDebug;
    case Note::Level::kInfo:
      return process::LogLevel::kInfo;
    case Note::Level::kWarn:
      return process::LogLevel::kWarn;
  }
  return process::LogLevel::kError;
}

void write(const Note& note) {
  const process::LogLevel level = level_of(note.level);
  if (!process::log_enabled(level)) return;
  std::vector<process::Field> fields;
  for (const auto& [key, value] : note.fields)
    std::visit(
        [&, name = std::string_view(key)](const auto& v) {
          if constexpr (std::is_constructible_v<process::Field, std::string_view, decltype(v)>)
            fields.emplace_back(name, v);
        },
        value.v);
  process::log_fields(level, note.text, fields);
}

}  // namespace

Loop::Loop(const ProgramOptions& options)
    : options_(options),
      clients_(context_, {limits::kMaxFrameBytes, kClientQueueMessages, kClientQueueMessages}),
      // Without a store nothing is remembered of earlier epochs; wall time grows across restarts.
      core_(options.config, transport::random_id<InstanceId>(), to_ms(transport::read_clock().wall),
            options.brokers, transport::read_clock()) {
  for (std::size_t i = 0; i < options_.brokers.size(); ++i) links_.push_back(make_link(i));
}

transport::Dealer Loop::make_link(std::size_t broker) {
  return transport::Dealer(context_,
                           {limits::kMaxLinkFrameBytes, kLinkQueueMessages, kLinkQueueMessages},
                           options_.brokers[broker]);
}

Expected<void> Loop::bind() {
  const auto clients = clients_.bind(options_.clients_endpoint);
  if (!clients) return fail(clients.error().code, "clients-endpoint: " + clients.error().detail);
  process::log_warn("tasks are kept in memory only: a crash of this process loses them",
                    {{"store", "memory"}});
  process::log_info("dispatcher ready", {{"clients_endpoint", *clients}});
  return {};
}

void Loop::fill_poll_set(process::SignalFd& signals) {
  poll_.clear();
  poll_.add_fd(signals.fd());
  poll_.add(clients_);
  for (auto& link : links_) poll_.add(link);
}

bool Loop::run(process::SignalFd& signals) {
  fill_poll_set(signals);
  bool more = false;
  for (;;) {
    const Duration due = std::min(core_.next_deadline(), drain_ends_);
    const Duration idle = due == kNever ? kNever : due - transport::read_clock().mono;
    poll_.wait(more ? Duration(0) : idle);
    const Now now = transport::read_clock();
    on_signals(signals, now);
    more = drain_clients(now);
    for (std::size_t i = 0; i < links_.size(); ++i) more |= drain_link(i, now);
    core_.tick(now);
    apply(signals);
    if (is_done(now)) break;
  }
  const std::size_t left = core_.live_tasks();
  if (left > 0) process::log_warn("stopped with tasks left behind", {{"tasks", left}});
  if (const std::size_t results = core_.unfetched_results(); results > 0)
    process::log_warn("results that nobody fetched end with this process", {{"results", results}});
  process::log_info("dispatcher stops");
  return left == 0;
}

/// True when messages may be left.
bool Loop::drain_clients(const Now& now) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kDrainMessages && bytes < kDrainBytes; ++i) {
    const auto received = clients_.receive();
    if (!received) return false;
    bytes += received->frame.size();
    if (received->well_formed)
      core_.on_client_frame(received->peer, received->frame, now);
    else
      core_.on_malformed_client(received->peer);
  }
  return true;
}

bool Loop::drain_link(std::size_t broker, const Now& now) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kDrainMessages && bytes < kDrainBytes; ++i) {
    const auto received = links_[broker].receive();
    if (!received) return false;
    bytes += received->frame.size();
    core_.on_link_frame(broker, received->frame, now);
  }
  return true;
}

void Loop::apply(process::SignalFd& signals) {
  Effects effects = core_.take_effects();
  for (const Note& note : effects.notes) write(note);
  for (const std::size_t broker : effects.reopen_links) links_[broker] = make_link(broker);
  if (!effects.reopen_links.empty()) fill_poll_set(signals);
  // A link that takes nothing is down or stalled: its heartbeats tell, and all that is lost with it
  // is repeated after the next snapshot.
  for (auto& [broker, message] : effects.to_brokers) links_[broker].send(encode(message));
  for (auto& [peer, message] : effects.to_clients)
    // A full queue loses nothing either: results are sent again until acknowledged, and a client
    // repeats a request that got no answer.
    if (clients_.send(peer, encode(message)) == SendResult::kGone) core_.on_client_gone(peer);
}

void Loop::on_signals(process::SignalFd& signals, const Now& now) {
  while (const auto signo = signals.read()) {
    const auto before = drain_state_.phase();
    if (drain_state_.on_signal(*signo) == before) continue;
    if (before == process::DrainState::Phase::kRunning) {
      core_.drain();
      drain_ends_ = now.mono + options_.drain_timeout;
      process::log_info("draining: no new tasks; a second signal stops at once",
                        {{"signal", *signo}, {"tasks", core_.live_tasks()}});
    }
  }
}

bool Loop::is_done(const Now& now) const {
  switch (drain_state_.phase()) {
    case process::DrainState::Phase::kRunning:
      return false;
    case process::DrainState::Phase::kDraining:
      return core_.is_idle() || drain_ends_ <= now.mono;
    case process::DrainState::Phase::kForced:
      return true;
  }
  return true;
}

}  // namespace genai::dispatcher
