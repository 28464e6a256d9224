// The broker and the dispatcher under measurement: a pair of our own, or one that runs already.
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/children.h"

namespace genai::bench {

/// Where a fleet and its clients connect.
struct Endpoints {
  std::string dispatcher;  // its --clients-endpoint
  std::string broker;      // its --nodes-endpoint
};

struct DaemonOptions {
  std::string store = "memory";  // as of genai-dispatcher --store
  std::string data_dir;          // the store stands below it; empty: the temporary files' folder
  // What the dispatcher takes at most.
  std::uint64_t max_tasks = 1'000'000, max_queued_mib = 4096;
};

/// A fresh pair on ipc sockets in a temporary folder. All of it, the store included, goes with this
/// object.
class Daemons {
 public:
  /// Throws std::system_error.
  explicit Daemons(const DaemonOptions& options);

  const Endpoints& endpoints() const { return endpoints_; }
  Usage broker() const { return broker_.usage(); }
  Usage dispatcher() const { return dispatcher_.usage(); }
  /// Times that the broker has found a node silent for too long.
  std::size_t silent() const { return broker_.logged("node suspect"); }
  /// Throws std::runtime_error with the end of its log when one has ended. Any thread.
  void check() const;
  /// What both are doing. Takes a second.
  std::string activity() const { return broker_.activity() + "; " + dispatcher_.activity(); }

 private:
  const Folder sockets_, data_;  // apart: a socket's path must be short
  const Endpoints endpoints_;
  const Child broker_, dispatcher_;
};

}  // namespace genai::bench
