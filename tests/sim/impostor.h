// Strangers: connected to every port, with keys that allow nothing or little, saying whatever might
// do harm.
#pragma once

#include <string>
#include <vector>

#include "host.h"

namespace genai::sim {

class Impostor : public Host {
 public:
  Impostor(Environment& env, std::vector<HostId> brokers, std::function<HostId()> dispatcher,
           std::vector<std::string> node_ids);

  bool is_up() const override { return true; }
  /// One message to somebody.
  void attack();

 protected:
  void run(const Now&) override { take_arrivals(); }
  Duration next_deadline() const override { return kNever; }

 private:
  std::string garbage();
  std::string overheard();
  SessionId some_session();
  std::string to_broker();
  std::string to_link();
  std::string to_dispatcher();
  std::string mutated(std::string frame);

  const std::vector<HostId> brokers_;
  const std::function<HostId()> dispatcher_;
  const std::vector<std::string> node_ids_;
  std::vector<Line> node_lines_, link_lines_;
  Line client_line_, stranger_line_;
};

}  // namespace genai::sim
