// What stands at both ends of the reference: workers that send back what comes, and a client that
// submits tasks at its pace.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "tools/bench/load_client.h"

namespace genai::bench {

/// As the sockets of the daemons and of the load generator: no queue between them is the bound.
void set_raw_limits(zmq::socket_t& socket);

/// `connections` sockets in one thread of their own, as EchoFleet has its nodes.
class RawWorkers {
 public:
  RawWorkers(const std::string& endpoint, unsigned connections);
  ~RawWorkers();
  RawWorkers(const RawWorkers&) = delete;

 private:
  void run();

  zmq::context_t context_;
  std::vector<zmq::socket_t> sockets_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

struct RawLoad {
  Pace pace;
  std::size_t task_bytes = 256;
};

/// Sends until either limit is reached and waits for the rest. `check` is called several times a
/// second; what it throws ends the call. Throws std::runtime_error when nothing comes for 30 s.
LoadReport run_raw_load(const std::string& endpoint, const RawLoad& load,
                        const std::function<void()>& check);

}  // namespace genai::bench
