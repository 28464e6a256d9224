// The broker and the dispatcher under measurement: a pair of our own, or one that runs already.
#pragma once

#include <optional>
#include <string>

#include "tools/bench/children.h"

namespace genai::bench {

/// Where a fleet and its clients connect.
struct Endpoints {
  std::string dispatcher;  // its --clients-endpoint
  std::string broker;      // its --nodes-endpoint
};

/// A fresh pair on ipc sockets in a temporary folder, with its store below `data_dir` (the
/// temporary files' folder when empty). All of it goes with this object.
class Daemons {
 public:
  /// `store` as of genai-dispatcher --store. Throws std::system_error.
  Daemons(const std::string& store, const std::string& data_dir);

  const Endpoints& endpoints() const { return endpoints_; }
  Usage broker() const { return broker_.usage(); }
  Usage dispatcher() const { return dispatcher_.usage(); }
  /// Throws std::runtime_error with the end of its log when one has ended. Any thread.
  void check() const;

 private:
  const Folder sockets_, data_;  // apart: a socket's path must be short
  const Endpoints endpoints_;
  const Child broker_, dispatcher_;
};

}  // namespace genai::bench
