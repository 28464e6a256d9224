// The broker without its sockets and clock: node sessions, their liveness, and the link to one
// dispatcher. Any bytes from anyone leave it in a good state: they are answered with a coded ERROR
// or counted and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/effects.h"
#include "broker/heartbeat_monitor.h"
#include "broker/link_outbox.h"
#include "broker/registry.h"
#include "protocol/base/blob.h"
#include "protocol/base/identity.h"
#include "protocol/base/limits.h"
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

struct Counters {
  std::uint64_t malformed_node_frames = 0;
  std::uint64_t malformed_link_frames = 0;
  std::uint64_t errors_received = 0;      // ERROR frames: never answered
  std::uint64_t replies_suppressed = 0;   // error replies over the rate limit
  std::uint64_t node_frames_dropped = 0;  // no dispatcher to forward them to
  std::uint64_t outputs_unsendable = 0;   // told by the loop
};

/// Not thread-safe. `now` never goes back between calls; only its mono part is read. Every call
/// appends to `effects`; frames for the dispatcher may wait until the next tick for company.
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

  /// A message on the socket for nodes; an empty frame stands for one of the wrong shape. `who` is
  /// what the peer's key stands for now.
  void handle_node_frame(std::string_view peer, const Identity& who, const Blob& frame,
                         const Now& now, Effects& effects);
  /// The same for the socket of the link.
  void handle_link_frame(std::string_view peer, const Identity& who, const Blob& frame,
                         const Now& now, Effects& effects);
  /// The keys stand for nothing, or something else, from now on: their sessions and links end.
  void handle_keys_revoked(const KeySet& keys, const Now& now, Effects& effects);
  /// `output` was not taken by the transport; `why` is kUnreachable or kPeerFull.
  void handle_undeliverable(const NodeOutput& output, ErrorCode why, const Now& now,
                            Effects& effects);
  /// The same for a frame to a dispatcher. It is taken for gone: send it nothing more of these
  /// effects, it begins anew with a LINK_HELLO.
  void handle_link_undeliverable(const Peer& peer, ErrorCode why, const Now& now, Effects& effects);

  /// Judges silence, so the sockets must have been drained before; then completes what is to be
  /// sent. Due at next_deadline() and after every batch of frames.
  void tick(const Now& now, bool behind, Effects& effects);
  void tick(const Now& now, Effects& effects) { tick(now, false, effects); }
  /// A message came, from a node or over the link, that was not one frame of a connection named by
  /// the transport.
  void handle_malformed_node(std::string_view peer, const Identity& who, const Now& now,
                             Effects& effects);
  void handle_malformed_link(std::string_view peer, const Now& now, Effects& effects);
  /// On the mono clock; in the past when something already waits for the tick. At most a heartbeat
  /// ahead.
  Duration next_deadline() const;

  /// What a dispatcher would be told now.
  msg::Snapshot snapshot(const Now& now) const;
  bool has_dispatcher() const { return dispatcher_.has_value(); }
  const Counters& counters() const { return counters_; }
  /// Aborts when something is wrong. O(nodes).
  void check_invariants() const;

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

  void advance(const Now& now, Effects& effects);
  void notice_malformed(MalformedLimits& limits, Notice::Kind kind, const Error& error,
                        const Now& now, Effects& effects);
  bool may_answer(MalformedLimits& limits, const Now& now);

  // core_nodes.cpp
  void on_node_message(std::string_view peer, const Identity& who, Session* session,
                       const NodeToBroker& message, const Now& now, Effects& effects);
  void on_hello(std::string_view peer, const Identity& who, const msg::Hello& hello, const Now& now,
                Effects& effects);
  std::optional<Error> hello_problem(std::string_view peer, const Identity& who,
                                     const msg::Hello& hello);
  void refuse_hello(std::string_view peer, const msg::Hello& hello, const Error& problem,
                    const Now& now, Effects& effects);
  void start_session(std::string_view peer, const Identity& who, const msg::Hello& hello,
                     Effects& effects);
  void take_node_id_from(Session& old, Effects& effects);
  void resume_session(Session& session, std::string_view peer, const Identity& who,
                      const msg::Hello& hello, Effects& effects);
  void evict(Session& session, Effects& effects);
  void on_heartbeat(const Identity& who, Session& session, const msg::Heartbeat& beat,
                    const Now& now, Effects& effects);
  void on_leave(Session& session, const msg::Leave& leave, Effects& effects);
  void on_bye(Session& session, const msg::Bye& bye, Effects& effects);
  void note_life(Session& session, Effects& effects);
  void end_session(Session& session, ProviderState end, const std::string& reason,
                   Effects& effects);
  void judge_nodes(Effects& effects);
  void on_task_frame(Session& session, const Identity& who, const Blob& frame, const Now& now,
                     Effects& effects);
  void refuse_node_frame(std::string_view peer, const Identity& who, std::size_t frame_bytes,
                         const Error& error, const Now& now, Effects& effects);

  // core_link.cpp
  void on_link_hello(std::string_view peer, const Identity& who, const msg::LinkHello& hello,
                     const Now& now, Effects& effects);
  std::optional<Error> link_hello_problem(const msg::LinkHello& hello, bool same_process) const;
  bool is_dispatcher_heard() const;
  void refuse_dispatcher(std::string_view peer, const Error& problem, const Now& now,
                         Effects& effects);
  void on_to_nodes(const msg::ToNodes& message, Effects& effects);
  void drop_dispatcher(const std::string& reason, Effects& effects);
  void judge_dispatcher(const Now& now, Effects& effects);
  void refuse_link_frame(std::string_view peer, const Error& error, const Now& now,
                         Effects& effects);

  const Config config_;
  const Now started_;
  Registry registry_;
  HeartbeatMonitor monitor_;
  LinkOutbox outbox_;
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
  Counters counters_;
};

}  // namespace genai::broker
