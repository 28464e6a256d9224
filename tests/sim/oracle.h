// Stands outside and believes only what was said on the wire and what is on the disk.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "dispatcher/dispatcher.h"
#include "environment.h"
#include "protocol/wire/messages.h"
#include "tests/unit/dispatcher/store/store_double.h"

namespace genai::sim {

using dispatcher::test::StoreDouble;

/// Of these tasks each result is a bundle of two files; the first one's metadata names the attempt.
inline bool has_bundle(const TaskId& id) { return id.view().back() % 2 == 0; }

class Oracle {
 public:
  Oracle(Environment& env, const StoreDouble& disk) : env_(env), disk_(disk) {}

  // ---- What the dispatcher lets out. `core` is the one that says so.
  void assigned(const dispatcher::Dispatcher& core, std::size_t prefetch, const SessionId& session,
                const AssignmentRef& ref);
  void acknowledged_result(const msg::ResultAck::Entry& entry);
  void told(const msg::Accepted& message);
  void told(const msg::Cancelled& message);
  void told(const msg::Purged& message) { told_gone(message.verdicts); }
  void told(const msg::Deleted& message) { told_gone(message.verdicts); }
  void told(const msg::Deliver& message);
  void told(const msg::Fetched& message);

  // ---- What others do.
  void executed(const AssignmentRef& ref, const SessionId& by);
  void produced(const AssignmentRef& ref, const SessionId& by, const std::string& data);
  /// Whether the dispatcher has a task of that id for another tenant.
  bool is_taken_from(const TaskId& id, const std::string& tenant) const {
    const auto task = owner_ ? owner_->tasks().peek(id) : dispatcher::TaskView();
    return task && task->spec.tenant() != tenant;
  }
  bool may_vanish(const TaskId& id) const {
    const auto it = promises_.find(id);
    return it != promises_.end() && it->second.may_vanish;
  }
  void asked_to_purge(const TaskId& id) { promises_[id].may_vanish = true; }

  // ---- What must hold after each step.
  /// `owns_disk`: no newer dispatcher has taken over; `quiet`: everything is written.
  void check_core(const dispatcher::Dispatcher& core, bool owns_disk, bool quiet);
  void check_disk();
  void gone(const dispatcher::Dispatcher& core) {
    if (owner_ == &core) owner_ = nullptr;
  }

  const std::map<AssignmentRef, SessionId>& issued() const { return issued_; }

 private:
  struct Promise {
    bool accepted = false;
    bool cancelled = false;      // it was said: it ends Aborted
    bool not_cancelled = false;  // it was said: too late
    bool may_vanish = false;     // somebody asked to purge it
    bool has_end = false;
    TaskStatus end = TaskStatus::kUnscheduled;
    bool delivered = false;
    std::string data;
  };
  void told_gone(const std::vector<msg::Verdict>& verdicts);
  void check_files(const TaskId& id, const ValueMap& info, std::string_view data);
  void ended(const TaskId& id, TaskStatus status, const char* where);
  void check_task(const dispatcher::Dispatcher& core, const dispatcher::Task& task);
  void check_provider(const dispatcher::Provider& provider);
  void check_assignee(const dispatcher::Assignee& assignee);
  void check_replay(const dispatcher::Dispatcher& core);
  void check_words(const dispatcher::Task& task, const dispatcher::store::TaskRecord& kept);

  Environment& env_;
  const StoreDouble& disk_;
  const dispatcher::Dispatcher* owner_ = nullptr;  // of the disk, as of its last step
  std::map<TaskId, Promise> promises_;
  std::map<AssignmentRef, SessionId> issued_;
  std::map<TaskId, std::pair<std::uint64_t, std::uint32_t>> newest_;  // epoch, attempt
  std::map<TaskId, std::set<std::string>> results_;  // made by executions that were issued
};

}  // namespace genai::sim
