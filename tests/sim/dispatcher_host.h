// A dispatcher process around the real core and committer. Several share one disk: the one that
// started last has its lease, the others only do not know yet.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dispatcher/dispatcher.h"
#include "dispatcher/store/committer.h"
#include "host.h"
#include "oracle.h"

namespace genai::sim {

struct Disk {
  StoreDouble store;
  bool full = false;
};

class DispatcherHost : public Host {
 public:
  DispatcherHost(Environment& env, std::string name, Disk& disk, std::vector<HostId> brokers,
                 const dispatcher::Config& config);

  bool is_up() const override { return core_ != nullptr; }
  void start();
  void crash();
  /// Its lease is over, though it may live on. The write under way has ended before, or not.
  void lose_lease();
  const dispatcher::Dispatcher& core() const { return *core_; }
  /// Whether everything is on the disk: nothing is to be written, and nothing is being written.
  bool is_quiet() const { return !core_->has_changes() && !committer_->is_running(); }
  /// Called when the process ends by itself.
  std::function<void()> on_end;

 protected:
  void run(const Now& clock) override;
  Duration next_deadline() const override;

 private:
  void read_arrivals(const Now& clock);
  void handle(const Arrival& arrival, const Now& clock);
  void handle_as_is(const Arrival& arrival, const Now& clock);
  std::string digest(const std::string* except) const;
  void commit(dispatcher::Messages promises, const Now& clock);
  void on(dispatcher::Committer::Write& event);
  void on(dispatcher::Committer::Look& event);
  void on(dispatcher::Committer::Release& event);
  void on(const dispatcher::Committer::StateChanged& event);
  void on(const dispatcher::Committer::Failed& event);
  void begin_write(dispatcher::store::Batch batch);
  void begin_read(const dispatcher::ReadData& read);
  dispatcher::store::CommitReport write(dispatcher::store::Batch batch);
  void settle_write(bool written);
  bool raise_epoch(const Now& clock);
  void send(dispatcher::Messages messages);
  void send_parcels(const msg::ToNodes& message);
  void check_changes(const dispatcher::Effects& effects);
  void check_let_go(const dispatcher::Task& task, const dispatcher::LogEntry& from,
                    const std::set<AssignmentRef>& aborted);

  bool has_lease() const { return disk_.store.holds(lease_); }

  Disk& disk_;
  dispatcher::store::Lease lease_;
  const std::vector<HostId> brokers_;
  const dispatcher::Config config_;
  std::vector<Line> links_;
  std::unique_ptr<dispatcher::Dispatcher> core_;
  std::unique_ptr<dispatcher::Committer> committer_;
  std::optional<dispatcher::store::Batch> writing_;  // an empty one: only a look
  std::uint64_t writing_number_ = 0;
  std::optional<dispatcher::store::CommitReport> written_;
  bool failed_ = false;
  std::uint64_t life_ = 0;      // of the process: reads of an earlier one bring nothing
  std::deque<Arrival> unread_;  // of clients
  std::map<TaskId, std::size_t> log_seen_;
  std::map<SessionId, std::uint64_t> joined_;  // ordinals after the last pass
};

}  // namespace genai::sim
