// Who has been silent for how long, and what follows from it.
//
// The monitor judges by a clock of its own that stands still while this process did not run:
// silence is only held against a node while we were there to hear it. Every operation is O(1)
// (judge: per verdict).
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <vector>

#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::broker {

/// heartbeat < suspect < lost.
struct Timing {
  Duration heartbeat = from_ms(1000);  // between two heartbeats, both ways
  Duration suspect = from_ms(3000);    // silence after which a node gets no new work
  Duration lost = from_ms(5000);       // silence after which its session ends
};

class HeartbeatMonitor {
 public:
  struct Verdict {
    SessionId session;
    Duration silence;
  };
  struct Verdicts {
    std::vector<Verdict> suspect;  // newly so; a session may be in both lists, suspect comes first
    std::vector<Verdict> lost;     // and no longer watched
    std::size_t reprieved = 0;     // would have been lost, but most nodes fell silent together
  };

  explicit HeartbeatMonitor(const Timing& timing) : timing_(timing) {}

  /// Tells the time; goes before every other call at a new `now`. When it has not been called for
  /// more than half the suspect time, the monitor's clock skips that gap, which is returned (else
  /// zero).
  Duration advance(Duration now);

  /// As advance(), but the monitor's clock stands still: by what it stood still.
  Duration hold(Duration now);

  /// Starts to watch, or resets the silence. Any suspicion ends.
  void heard(const SessionId& session);
  void forget(const SessionId& session);

  /// Call it only when all that has arrived has been handled. If more than half of at least
  /// kMassVanishNodes nodes are silent when the first of them would be lost, all the silent ones
  /// get another lost time, once: the fault is more likely on our side.
  Verdicts judge();
  static constexpr std::size_t kMassVanishNodes = 4;

  /// The monitor's clock: for other silences that follow the same rule.
  Duration clock() const { return last_ - skipped_; }
  /// When advance() and judge() are due at the latest, so that a quiet loop is not taken for a late
  /// one.
  Duration next_deadline() const;

  std::size_t size() const { return entries_.size(); }
  bool is_suspect(const SessionId& session) const;
  void check() const;

 private:
  enum Stage : std::size_t { kFresh, kSuspect, kReprieved, kStages };
  struct Entry {
    SessionId session;
    Duration heard;  // on clock()
    Stage stage;
  };
  using Entries = std::list<Entry>;

  Duration allowance(Stage stage) const;
  bool is_due(Stage stage) const;
  void move_front(Stage from, Stage to);
  Verdict lose_front(Stage stage);

  Timing timing_;
  bool started_ = false;
  Duration last_{0};
  Duration skipped_{0};
  // The longest silent is at the front of each: allowances within a stage are equal, so no heap is
  // needed.
  Entries stages_[kStages];
  std::unordered_map<SessionId, Entries::iterator> entries_;
};

}  // namespace genai::broker
