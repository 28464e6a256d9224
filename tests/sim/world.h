// One simulated fleet under one seed: faults for a while, then healing, then everything that was
// accepted must end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker_host.h"
#include "client_host.h"
#include "dispatcher_host.h"
#include "environment.h"
#include "impostor.h"
#include "node_host.h"
#include "oracle.h"

namespace genai::sim {

class World {
 public:
  World(std::uint64_t seed, Trace::Mode mode);

  /// Throws Failure when a promise was broken.
  void run();
  const Environment& environment() const { return env_; }

 private:
  void plan_workload();
  void plan_chaos();
  void plan_operations();
  void strike();
  template <class H>
  void crash_and_restart(H& host);
  bool is_wanted(const Host& host) const;
  void partition(bool one_way);
  void operate();
  void leave_busiest();
  void take_over();
  void second_session();
  void submit_some(std::uint64_t tasks);
  TaskSpec some_spec();
  void heal();
  void end_drains();
  bool is_done() const;
  void fail_unfinished() const;
  DispatcherHost& active() { return *dispatchers_[active_]; }

  Environment env_;
  Disk disk_;
  Oracle oracle_;
  Network network_;
  std::vector<std::unique_ptr<BrokerHost>> brokers_;
  std::vector<std::unique_ptr<DispatcherHost>> dispatchers_;
  std::size_t active_ = 0;
  std::vector<std::unique_ptr<NodeHost>> nodes_;
  std::vector<std::unique_ptr<NodeHost>> twins_;  // second processes under a node's id
  std::vector<std::unique_ptr<ClientHost>> clients_;
  std::unique_ptr<Impostor> impostor_;
  Duration chaos_ends_;
};

}  // namespace genai::sim
