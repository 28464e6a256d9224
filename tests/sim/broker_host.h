// A broker process around the real core.
#pragma once

#include <memory>

#include "broker/core.h"
#include "host.h"
#include "protocol/wire/messages.h"

namespace genai::sim {

class BrokerHost : public Host {
 public:
  BrokerHost(Environment& env, std::string name) : Host(env, std::move(name)) {}

  bool is_up() const override { return core_ != nullptr; }
  void start();
  void crash();

 protected:
  void run(const Now& clock) override;
  Duration next_deadline() const override { return core_->next_deadline(); }

 private:
  void handle(const Arrival& arrival, const Now& clock);
  void handle_powerless(const Arrival& arrival, const Now& clock);
  void handle_as_is(const Arrival& arrival, const Now& clock);
  void take_events();
  void apply(const Now& clock);
  void check_fence(std::size_t first_output);

  std::unique_ptr<broker::Core> core_;
  broker::Events events_;    // of this pass
  std::uint64_t epoch_ = 0;  // the highest of a dispatcher that was let in
};

}  // namespace genai::sim
