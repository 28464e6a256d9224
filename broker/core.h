// The broker without its sockets and clock: node sessions, their liveness, and the link to one
// dispatcher. Any bytes from anyone leave it in a good state: they are answered with a coded ERROR
// or counted and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/events.h"
#include "broker/heartbeat_monitor.h"
#include "broker/lines.h"
#include "broker/link_outbox.h"
#include "broker/registry.h"
#include "protocol/base/blob.h"
#include "protocol/base/identity.h"
#include "protocol/base/limits.h"
#include "protocol/base/metrics.h"
#include "protocol/base/peer_rates.h"
#include "protocol/base/rate_limit.h"
#include "protocol/base/time.h"
#include "protocol/wire/link.h"
#include "protocol/wire/node.h"

namespace genai::broker {

inline constexpr std::size_t kDefaultMaxNodes = 20'000;

struct Config {
  InstanceId instance;  // random, of this process
  Timing timing;
  std::size_t max_nodes = kDefaultMaxNodes;  // sessions at once
};

/// Not thread-safe. Pure. `now` never goes back between calls; only its mono part is read.
/// Use, in each pass of the loop: handle() all that has come, handle(SocketsRead), expire(), and
/// then do what take_events() returns. Frames for the dispatcher may wait until expire() for
/// company.
class Core {
 public:
  /// At most kMaxErrorRepliesPerSecond malformed frames are answered and kMaxMalformedNotices
  /// noticed per second and socket.
  static constexpr std::uint32_t kMaxErrorRepliesPerSecond = 1000;
  static constexpr std::uint32_t kMaxMalformedNotices = 1;
  /// Who is refused asks again for ever: that many refusals of nodes, and of dispatchers, are
  /// noticed at once, and then that many a minute. Of each node id one is noticed a minute.
  static constexpr std::uint32_t kMaxRefusalNotices = 10;
  static constexpr Duration kRivalNotice = from_ms(60'000);
  /// In lost times: once no dispatcher has been there for so long, one that was succeeded may come
  /// again with a later epoch. The successor may just have been restarted.
  static constexpr int kAbsence = 4;

  Core(const Config& config, const Now& started);

  void handle(const NodeFrame& event, const Now& now);
  void handle(const MalformedNode& event, const Now& now);
  void handle(const LinkFrame& event, const Now& now);
  void handle(const MalformedLink& event, const Now& now);
  void handle(const KeysRevoked& event, const Now& now);
  void handle(const Undeliverable& event, const Now& now);
  void handle(const LinkUndeliverable& event, const Now& now);
  void handle(const SocketsRead& event, const Now& now);

  /// Judges silence, then completes what is to be sent. Due at next_deadline() and after every
  /// batch of frames.
  void expire(const Now& now);
  /// On the mono clock; in the past when there are events to take, or something waits for expire().
  /// At most a heartbeat ahead.
  Duration next_deadline() const;
  Events take_events();

  /// What a dispatcher would be told now.
  msg::Snapshot snapshot(const Now& now) const;
  bool has_dispatcher() const { return dispatcher_.has_value(); }
  /// Since the start of the process; SPEC.md, "Metrics of a broker", lists them.
  const Metrics& metrics() const { return metrics_; }
  /// Aborts when something is wrong. O(nodes).
  void check() const;

 private:
  struct Dispatcher {
    Peer peer;
    std::string key;
    InstanceId instance;
    std::uint64_t epoch = 0;
    Duration heard{0};  // on the monitor's clock
    Duration next_heartbeat{0};
  };

  struct MalformedLimits {
    RateLimit replies{kMaxErrorRepliesPerSecond, from_ms(1000) / kMaxErrorRepliesPerSecond};
    RateLimit notices{kMaxMalformedNotices, from_ms(1000) / kMaxMalformedNotices};
  };

  void advance(const Now& now);
  void note(LogEvent event) { notes_.push_back(std::move(event)); }
  void note_malformed(MalformedLimits& limits, const Line& line, const Error& error,
                      const Now& now);
  bool may_answer(MalformedLimits& limits, const Now& now);

  // core_nodes.cpp
  void on_node_message(const Sender& from, Session* session, const NodeToBroker& message,
                       const Now& now);
  void on_hello(const Sender& from, const msg::Hello& hello, const Now& now);
  std::optional<Error> hello_problem(const Sender& from, const msg::Hello& hello);
  void refuse_hello(const Sender& from, const msg::Hello& hello, const Error& problem,
                    const Now& now);
  void start_session(const Sender& from, const msg::Hello& hello);
  void take_node_id_from(Session& old);
  void resume_session(Session& session, const Sender& from, const msg::Hello& hello);
  void evict(Session& session);
  void on_heartbeat(const Identity& who, Session& session, const msg::Heartbeat& beat,
                    const Now& now);
  void on_leave(Session& session, const msg::Leave& leave);
  void on_bye(Session& session, const msg::Bye& bye);
  void note_life(Session& session);
  void end_session(Session& session, ProviderState end, const std::string& reason);
  void remove_session(const Session& session);
  void judge_nodes();
  void on_task_frame(Session& session, const Identity& who, const Blob& frame, const Now& now);
  void refuse_node_frame(const Sender& from, std::size_t frame_bytes, const Error& error,
                         const Now& now);
  void answer_node(std::string_view peer, const ToNode& message);

  // core_link.cpp
  void on_link_hello(const Sender& from, const msg::LinkHello& hello, const Now& now);
  std::optional<Error> link_hello_problem(const msg::LinkHello& hello, bool same_process) const;
  bool is_dispatcher_heard() const;
  void refuse_dispatcher(const Sender& from, const Error& problem, const Now& now);
  void prepay(Session& session, std::string_view frame);
  void on_to_nodes(const msg::ToNodes& message);
  void on_link_stats(const Peer& peer, const Now& now);
  void drop_dispatcher(const std::string& reason);
  void judge_dispatcher(const Now& now);
  void refuse_link_frame(const Sender& from, const Error& error, const Now& now);

  const Config config_;
  const Now started_;
  Metrics metrics_;
  Registry registry_{metrics_};
  HeartbeatMonitor monitor_;
  LinkOutbox outbox_;
  std::vector<NodeOutput> to_nodes_;
  std::vector<LogEvent> notes_;
  std::optional<Dispatcher> dispatcher_;
  std::uint64_t latest_epoch_ = 0;  // of all that connected: an older one has no say any more
  Duration gone_at_{0};             // when there was a dispatcher last, on the monitor's clock
  bool behind_ = false;             // messages were left unread by the last turn
  Duration held_{0};  // so long the clock of silences has stood still for that, without a break
  PeerRates rates_{limits::kMaxAskedPerSecond};  // of nodes' keys, or connections without
  RateLimit node_refusals_{kMaxRefusalNotices, from_ms(60'000) / kMaxRefusalNotices};
  RateLimit dispatcher_refusals_{kMaxRefusalNotices, from_ms(60'000) / kMaxRefusalNotices};
  MalformedLimits node_limits_;
  MalformedLimits link_limits_;

  Counter& joined_total_ = metrics_.counter("joined_total", "Sessions of nodes that began.");
  Counter& rejoined_total_ =
      metrics_.counter("rejoined_total", "Times that a session went on over a new connection.");
  Counter& left_total_ = metrics_.counter("left_total", "Sessions that ended with a BYE.");
  Counter& lost_total_ = metrics_.counter(
      "lost_total", "Sessions that ended otherwise: silence, a connection that ended, a key.");
  Counter& replaced_total_ = metrics_.counter(
      "replaced_total", "Sessions whose node began a new one, so that nobody was lost.");
  Counter& suspected_total_ =
      metrics_.counter("suspected_total", "Times that a node was silent for the suspect time.");
  Counter& mass_silences_total_ = metrics_.counter(
      "mass_silences_total", "Times that most nodes fell silent at once and were given longer.");
  Counter& refused_nodes_total_ =
      metrics_.counter("refused_nodes_total", "HELLOs of nodes that were not let in.");
  Counter& heartbeats_total_ =
      metrics_.counter("heartbeats_total", "Heartbeats of nodes that were answered.");
  Counter& frames_to_nodes_total_ = metrics_.counter(
      "frames_to_nodes_total", "Frames of the dispatcher that were passed on to nodes.");
  Counter& bytes_to_nodes_total_ =
      metrics_.counter("bytes_to_nodes_total", "Bytes of the frames passed on to nodes.");
  Counter& dispatchers_total_ =
      metrics_.counter("dispatchers_total", "Times that a dispatcher was let in.");
  Counter& refused_dispatchers_total_ =
      metrics_.counter("refused_dispatchers_total", "LINK_HELLOs that were not let in.");
  Counter& malformed_nodes_total_ = metrics_.counter(
      "malformed_nodes_total", "Frames on the socket for nodes that were refused.");
  Counter& malformed_link_total_ = metrics_.counter(
      "malformed_link_total", "Frames on the socket of the link that were refused.");
  Counter& errors_received_total_ =
      metrics_.counter("errors_received_total", "ERROR frames received; they are never answered.");
  Counter& unanswered_total_ = metrics_.counter(
      "unanswered_total", "Refused frames that were not answered, since there were so many.");
  Counter& unsendable_total_ = metrics_.counter(
      "unsendable_total", "Frames that the transport did not take: a peer was gone or full.");
  Counter& late_ms_total_ =
      metrics_.counter("late_ms_total", "How long this process did not run when it should have.");
};

}  // namespace genai::broker
