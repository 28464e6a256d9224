// A client node around the real session core: it runs what it is given, and lives and dies as
// volunteered machines do.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host.h"
#include "protocol/wire/messages.h"
#include "tools/node/session_core.h"

namespace genai::sim {

struct NodeTraits {
  std::string node_id;
  std::uint32_t slots = 1;
  std::vector<std::string> models;
  std::vector<HostId> brokers;  // of which it knows one at a time
};

class NodeHost : public Host {
 public:
  NodeHost(Environment& env, NodeTraits traits);

  bool is_up() const override { return core_ != nullptr; }
  void start();
  void crash();
  void leave();
  bool is_settled() const { return core_ && core_->joined() && core_->held().empty(); }
  /// Tasks, while it is up.
  std::size_t held() const { return core_->held().size(); }
  const NodeTraits& traits() const { return traits_; }
  /// Called when the process ends by itself.
  std::function<void()> on_end;

 protected:
  void run(const Now& clock) override;
  Duration next_deadline() const override { return core_->next_deadline(); }

 private:
  void carry_out(const Now& clock);
  void on(const node::Event& event);
  void execute(const AssignmentRef& ref);
  void plan_end(const AssignmentRef& ref, Duration wait, node::TaskResult result);
  void lie();
  Message made_up();
  Message end_of(const AssignmentRef& ref);

  const NodeTraits traits_;
  SessionId session_;
  Line line_;
  HostId broker_;
  std::unique_ptr<node::SessionCore> core_;
  std::uint64_t life_ = 0;
  std::map<AssignmentRef, std::uint64_t> executing_;  // with a number of the planned end
  std::set<AssignmentRef> executed_;                  // by this session
  std::uint64_t ends_planned_ = 0;
  std::vector<std::pair<AssignmentRef, node::TaskResult>> done_;
};

}  // namespace genai::sim
