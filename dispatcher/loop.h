// The dispatcher's sockets around its core: bounded drain, handle, tick, hand over what has changed
// to be committed, send what is durable.
#pragma once

#include <deque>

#include "dispatcher/desk/unread.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/options.h"
#include "dispatcher/store/commit_thread.h"
#include "dispatcher/store/committer.h"
#include "dispatcher/store/read_thread.h"
#include "dispatcher/store/start.h"
#include "protocol/runtime/event_log.h"
#include "protocol/runtime/signals.h"
#include "protocol/security/guard.h"
#include "protocol/transport/socket.h"

namespace genai::dispatcher {

/// One thread owns it all.
class Loop {
 public:
  /// Make the SignalFd first: it must exist before the transport's threads.
  Loop(const Options& options, store::Start start);

  /// Takes up what earlier processes left. Before bind().
  store::Result<void> load();
  Expected<void> bind();
  /// Serves until told to stop; returns the exit code. The first SIGTERM or SIGINT drains: with a
  /// durable store what was read is committed and answered, and the tasks wait there; without one
  /// there are no new tasks, and those accepted are finished and delivered. The second signal, or
  /// the drain timeout, ends it at once.
  int run(runtime::SignalFd& signals);

 private:
  bool drain_clients(const Now& now);
  bool drain_link(std::size_t broker, const Now& now);
  void apply(runtime::SignalFd& signals, const Now& now);
  void reopen(const std::vector<std::size_t>& brokers, runtime::SignalFd& signals);
  void send_to_brokers(const Messages& messages);
  void send_to_clients(const Messages& messages, const Now& now);
  void tell_unread(const Now& now);
  void commit(Messages promises, const Now& now);
  void end_commit(const Now& now);
  void end_reads();
  void on(Committer::Write& event, const Now& now);
  void on(Committer::Look& event, const Now& now);
  void on(Committer::Release& event, const Now& now);
  void on(const Committer::StateChanged& event, const Now& now);
  void on(Committer::Failed& event, const Now& now);
  void raise_epoch(runtime::SignalFd& signals, const Now& now);
  int stopped();
  void on_signals(runtime::SignalFd& signals, const Now& now);
  bool is_done(const Now& now) const;
  using Reading = Committer::Reading;
  void fill_poll_set(runtime::SignalFd& signals);
  Duration next_deadline() const;
  transport::Dealer make_link(std::size_t broker);

  Options options_;
  transport::Context context_;
  transport::Guard guard_;
  transport::Router clients_;
  const std::vector<std::optional<transport::CurveClient>> curves_;  // of the links
  std::deque<transport::Dealer> links_;
  transport::PollSet poll_;
  std::unique_ptr<store::Store> store_;
  store::Lease lease_;
  Dispatcher dispatcher_;
  runtime::EventLog log_;
  Committer committer_;
  Unread unread_;
  std::optional<store::CommitThread> commits_;  // only with a durable store
  std::optional<store::ReadThread> reads_;      // only if data stands apart in it
  Reading reading_ = Reading::kAll;
  std::optional<store::StoreError> broken_;
  runtime::DrainState drain_state_;
  Duration drain_ends_ = kNever;
};

}  // namespace genai::dispatcher
