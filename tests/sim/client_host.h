// A backend around the real client core. What it has written down (its jobs) outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host.h"
#include "protocol/wire/messages.h"
#include "tools/client/session_core.h"

namespace genai::sim {

class ClientHost : public Host {
 public:
  /// `dispatcher` names the one to connect to now.
  ClientHost(Environment& env, std::string name, std::string tenant,
             std::function<HostId()> dispatcher);

  bool is_up() const override { return core_ != nullptr; }
  void start();
  void crash();
  void submit(TaskSpec spec);
  /// Cancels, replays, purges, asks; by chance.
  void operate();
  /// The task that was submitted last, if it may still run.
  void cancel_latest();
  void set_drained(const std::string& target, bool on);
  /// Every job has ended, and everything was answered.
  bool is_settled() const;
  std::string unsettled() const;

 protected:
  void run(const Now& clock) override;
  Duration next_deadline() const override { return std::min(core_->next_deadline(), act_at_); }

 private:
  struct Job {
    msg::Submission submission;
    msg::WatchLevel level = msg::WatchLevel::kResult;
    bool accepted = false;
    bool done = false;
    bool purged = false;
    TaskStatus end = TaskStatus::kUnscheduled;
    Duration again_at = kNever;  // to be submitted again
  };
  void submit(const Job& job);
  void ask(ClientRequest message);
  void fetch_some();
  void forget_some();
  void acknowledge();
  void on(client::SessionCore::Reconnect);
  void on(client::SessionCore::Send& send);
  void on(const msg::Acceptance& verdict);
  void on(const msg::Deliver::Entry& entry);
  void on(const msg::Update::Entry&) {}
  void on(const client::SessionCore::Reply& reply);
  void on(const LogEvent& event);
  void watch_accepted();
  void resubmit(const Now& clock);
  std::vector<TaskId> open_jobs() const;
  TaskId id_of(unsigned number) const;
  Job* find(const TaskId& id);

  const std::string tenant_;
  const std::function<HostId()> dispatcher_;
  Line line_;
  std::unique_ptr<client::SessionCore> core_;
  std::map<TaskId, Job> jobs_;
  std::vector<TaskId> to_acknowledge_;
  bool watch_again_ = false;
  Duration act_at_ = kNever;  // mono: when jobs are looked at again
  unsigned submitted_ = 0;
};

}  // namespace genai::sim
