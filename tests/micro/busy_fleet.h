// What the scheduler works on, without anything around it: providers, a backlog of constant length,
// and a clock that goes from one task's end to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <queue>
#include <string>
#include <vector>

#include "dispatcher/placement/scheduler.h"
#include "tools/bench/draw.h"

namespace genai::micro {

/// Not thread-safe. Each provider has one slot, and tasks differ in their model, one per class.
class BusyFleet {
 public:
  struct Shape {
    std::size_t providers = 0;
    std::size_t queued = 0;  // beyond what the providers can be given
    std::size_t classes = 1;
    /// Providers differ in speed, up to 10 times, and it has been measured. Else nothing has been
    /// measured of any.
    bool known = true;
    double busy = 1;  // share of the providers that have work; below 1, nothing is queued

    friend bool operator==(const Shape&, const Shape&) = default;
  };

  explicit BusyFleet(const Shape& shape);

  /// The clock goes to the next end of a task. Throws std::logic_error if nothing is executed.
  void advance();
  /// What Placement does with the task's result.
  void end();
  /// A new task takes its place in the backlog.
  void submit();
  /// One pass: what Dispatcher::place does.
  void place();

 private:
  struct Execution {
    double ends_s;
    dispatcher::QueueEntry* task;
    dispatcher::Provider* provider;
    bool operator>(const Execution& other) const { return ends_s > other.ends_s; }
  };

  void join(std::size_t number);
  /// A task with its entry.
  struct Job {
    dispatcher::TaskRecord record;
    dispatcher::QueueEntry entry;
  };
  void enter(Job& job);
  Job& job_of(const dispatcher::QueueEntry& entry) { return jobs_[entry.handle]; }
  void begin(dispatcher::Provider& provider, dispatcher::QueueEntry& task);

  Shape shape_;
  bench::Draw draw_{1};
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  dispatcher::PlacementPolicy config_;
  dispatcher::Measures measures_;
  dispatcher::Tenants tenants_{{}};
  dispatcher::Backlog backlog_;
  dispatcher::Providers providers_;
  dispatcher::Scheduler scheduler_;
  std::vector<std::string> models_;
  std::vector<double> run_s_;  // by Provider::index
  std::deque<Job> jobs_;
  std::uint64_t sequence_ = 0;
  std::priority_queue<Execution, std::vector<Execution>, std::greater<>> executing_;
  Job* done_ = nullptr;  // the last that ended
};

}  // namespace genai::micro
