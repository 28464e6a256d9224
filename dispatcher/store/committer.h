// Which messages wait for which commit, what happens while the disk has no room, and how far the
// sockets are read meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/effects.h"
#include "dispatcher/store/batch.h"
#include "dispatcher/store/report.h"
#include "protocol/base/time.h"

namespace genai::dispatcher {

/// Use, in each pass of the loop:
///   handle(CommitReport) when the write or the look under way has ended,
///   handle(Pass) with the messages of this pass that promise something,
///   handle(Changes) or handle(Frees), as needs() asks for them,
///   expire(),
/// and then do what take_events() returns. One commit runs while the next one gathers. Messages
/// leave in the order in which they came, each after the commit that it rests on.
/// Not thread-safe. Pure.
class Committer {
 public:
  /// How soon a batch that did not fit is tried again, and how soon the store is looked at.
  static constexpr Duration kRetry = from_ms(1000);
  static constexpr Duration kLookWhileLow = from_ms(1000);
  static constexpr Duration kLook = from_ms(10'000);

  // ---- Events in.

  /// All that happened up to now.
  struct Pass {
    Messages promises;                // rest on the changes up to now
    Duration changes_due = kNever;    // when a commit should begin for changes not handed in yet
    std::size_t unwritten_bytes = 0;  // of payloads and results among those changes
  };
  /// Everything that has changed since the last one was handed in; it may be empty.
  struct Changes {
    store::Batch batch;
    Duration rest_due = kNever;  // when a commit should begin for changes that were left out
  };
  /// Changes that only free room, of no task in stuck(); it may be empty.
  struct Frees {
    store::Batch batch;
  };
  /// The process is about to end: nothing is read any more, and everything is written that can be.
  struct Stop {};

  // ---- Events out.

  /// Commit the batch, elsewhere, and handle() its report. Comes before any Release.
  struct Write {
    store::Batch batch;
  };
  /// Look whether the store is still there and has room, elsewhere, and handle() the report.
  struct Look {};
  /// These may leave now.
  struct Release {
    Messages messages;
  };
  /// For people: report().state is another one now.
  struct StateChanged {
    StoreReport::State state;
    std::string detail;  // of kFull: why
  };
  /// The store cannot be used any more: the process must end. What still waits is never released.
  struct Failed {
    store::StoreError error;
  };
  using Event = std::variant<Write, Look, Release, StateChanged, Failed>;

  struct Settings {
    std::string name = "memory";  // of the store
    bool durable = false;         // if not, nothing is ever due, and so nothing waits
    bool low = false;             // at the start
    /// At most so many messages wait in memory, and those of one pass more. What is caused beyond
    /// that is dropped, as a network would: acknowledgements and answers are asked for again.
    /// Clients are not read while more than half of that waits, or while more than so many bytes
    /// of payloads and results do. Links are: few of what they bring makes many messages, and
    /// results must come in.
    std::size_t max_held_messages = 200'000;
    std::size_t max_unwritten_bytes = std::size_t{256} << 20;
  };
  Committer(Settings settings, const Now& now);

  void handle(Pass pass, const Now& now);
  void handle(Changes changes, const Now& now);
  void handle(Frees frees, const Now& now);
  void handle(store::CommitReport report, const Now& now);
  void handle(Stop, const Now& now);
  /// Looks at the store when that is due.
  void expire(const Now& now);
  /// When to call the above again if nothing else happens; kNever while a report is awaited.
  Duration next_deadline() const;
  std::vector<Event> take_events();
  /// Aborts when it contradicts itself.
  void check() const;

  /// Whether a batch came to lie on the disk, whole, since the last call. Ask before a new one is
  /// handed in.
  bool take_stored() { return std::exchange(stored_, false); }

  enum class Needs { kNothing, kChanges, kFrees };
  Needs needs(const Now& now) const;
  /// The batch that did not fit; null when there is none, or while it is tried again.
  const store::Batch* stuck() const { return stuck_ ? &*stuck_ : nullptr; }

  enum class Reading { kAll, kLinks, kNothing };
  /// What should be read now.
  Reading reading() const;
  /// Messages that wait.
  std::size_t held() const { return held_.size() + in_flight_.size(); }
  /// A batch is on its way to the disk, or waits for room there.
  bool is_running() const { return writing_ || stuck_; }
  /// A report is awaited.
  bool is_busy() const { return writing_ || looking_; }
  /// Everything that was to be promised is written.
  bool is_idle() const { return !is_running() && held_.empty(); }
  /// After Stop: there is nothing more to wait for. Either is_idle(), or nothing can be written.
  bool is_done() const;
  bool is_stopping() const { return stopping_; }
  const StoreReport& report() const { return report_; }

 private:
  void set_state(StoreReport::State state, std::string detail = {});
  void write(store::Batch batch);
  void fail(store::StoreError error);
  void release_held();

  const Settings settings_;
  StoreReport report_;
  Messages held_;       // for the next commit
  Messages in_flight_;  // for the batch that runs
  Messages released_;   // for take_events()
  std::vector<Event> events_;
  bool writing_ = false, looking_ = false;
  std::optional<store::Batch> stuck_;
  Duration changes_due_ = kNever;
  std::size_t unwritten_bytes_ = 0;
  Duration look_at_ = kNever;  // at the store, or when to try the stuck batch again
  bool stopping_ = false;
  bool took_all_ = false;  // since Stop: nothing was left that had changed
  bool failed_ = false;
  bool stored_ = false;  // see take_stored()
};

}  // namespace genai::dispatcher
