// A process on a machine of its own: it has a clock, may be paused, and runs when something
// arrives or is due.
#pragma once

#include <deque>
#include <string>

#include "environment.h"
#include "network.h"
#include "protocol/base/log_event.h"
#include "protocol/base/time.h"

namespace genai::sim {

class Host {
 public:
  Host(Environment& env, std::string name);
  virtual ~Host() = default;
  Host(const Host&) = delete;

  HostId id() const { return id_; }
  const std::string& name() const { return name_; }
  virtual bool is_up() const = 0;
  bool is_paused() const { return env_.scheduler.now() < paused_until_; }

  void arrive(Arrival arrival);
  /// Runs at `when`, or earlier for another reason.
  void wake(Duration when);
  void wake_now() { wake(env_.scheduler.now()); }
  void pause(Duration until) { paused_until_ = until; }
  void resume();
  void step_clock(Duration by) { wall_step_ += by; }

 protected:
  /// One pass of its loop; `clock` is this machine's.
  virtual void run(const Now& clock) = 0;
  /// On this machine's mono clock.
  virtual Duration next_deadline() const = 0;

  Now clock() const;
  /// The next arrivals to handle: not always all that have come.
  std::deque<Arrival> take_arrivals();
  /// Puts a line of its log into the trace.
  void show(const LogEvent& event);
  void forget_arrivals() { inbox_.clear(); }

  Environment& env_;

 private:
  void run_planned(Duration when);

  const HostId id_;
  const std::string name_;
  const Duration booted_;  // how old its mono clock is
  Duration wall_step_{0};
  Duration paused_until_{0};
  Duration planned_ = kNever;
  unsigned spins_ = 0;
  Duration last_run_{-1};
  std::deque<Arrival> inbox_;
};

}  // namespace genai::sim
