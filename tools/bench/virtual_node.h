// A client node that only pretends to work: it holds, loads, runs and answers as SPEC.md asks, on
// virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/wire/node.h"
#include "tools/bench/draw.h"

namespace genai::bench {

struct NodeTraits {
  std::uint32_t slots = 1;
  double speed = 1;                             // work done in a second, in seconds
  std::map<std::string, Duration> models = {};  // on its disk, and how long each takes to load
  std::vector<std::string> loaded = {};  // in its memory at first; no more than memory_models
  std::size_t memory_models = 1;         // in its memory at once, loading ones among them
  double failure_ratio = 0;              // of the tasks it ran to their end
};

/// What a task's payload says to a virtual node.
Blob payload_of(Duration work);

/// Pure; not thread-safe. `now` never goes back.
class VirtualNode {
 public:
  VirtualNode(NodeTraits traits, Draw draw);

  /// An ASSIGN, ABORT or RESULT_ACK; KEEP says nothing new here. Throws std::logic_error for the
  /// rest and for a task that this node cannot run: the dispatcher should have known.
  void handle(const ToNode& message);
  /// Ends what is due, then starts what has room, in the order of assignment.
  void tick(Duration now);
  /// When tick is due next; at once after handle.
  Duration next_deadline() const;
  std::vector<FromNode> take_messages() { return std::exchange(messages_, {}); }

  PublicMetaInfo meta() const;
  std::vector<AssignmentRef> held() const;
  std::vector<std::string> loaded_models() const;
  /// Whether loaded_models() changed since the last call.
  bool take_memory_changed() { return std::exchange(memory_changed_, false); }

  std::size_t running() const;
  std::uint64_t loads() const { return loads_; }
  std::uint64_t errors() const { return errors_; }

 private:
  struct Job {
    enum class State { kWaiting, kRunning, kFinished };  // kFinished: till the RESULT_ACK
    AssignmentRef ref;
    std::string model;
    Duration run;
    State state = State::kWaiting;
    Duration load{0};
    Duration ends = kNever;
  };
  struct Loaded {
    std::string model;
    Duration ready_at;
    bool is_ready;
  };

  void take(const msg::Assignment& entry);
  msg::AbortOutcome abort(const msg::Abort::Entry& entry);
  bool start(Job& job, Duration now);
  void finish(Job& job);
  std::vector<Job>::iterator find(const AssignmentRef& ref);
  std::vector<Loaded>::iterator find_loaded(const std::string& model);
  bool is_in_use(const std::string& model) const;

  const NodeTraits traits_;
  Draw draw_;
  std::vector<Job> jobs_;       // in the order of assignment
  std::vector<Loaded> memory_;  // the longest unused first
  bool memory_changed_ = false;
  std::vector<FromNode> messages_;
  std::uint64_t loads_ = 0, errors_ = 0;
};

}  // namespace genai::bench
