// The stored part of a task: what survives the process. A live Task, the row in a store, the packed
// form of a task that is past, and the tests all use this struct and its one list of fields.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dispatcher/tasks/data.h"
#include "dispatcher/tasks/digest.h"
#include "dispatcher/tasks/kept_spec.h"
#include "dispatcher/tasks/task_log.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/value.h"
#include "protocol/wire/task_spec.h"
#include "protocol/wire/task_status.h"

namespace genai::dispatcher {

/// An attempt that was ever issued. A result is valid only from the session it was issued to.
struct IssuedAttempt {
  std::uint32_t number = 0;
  std::uint64_t epoch = 0;  // of the dispatcher that issued it: this one or an earlier
  SessionId session;
  NodeId node_id;
  bool failed = false;   // ended there without a result: other nodes are preferred from then on
  bool open = true;      // no word yet of its end: its node may still be running it
  bool drained = false;  // counted as a drain, which is nobody's failure

  friend bool operator==(const IssuedAttempt&, const IssuedAttempt&) = default;
};

/// Times are Unix milliseconds. Copies share the memory of `payload` and `result`.
struct TaskRecord {
  std::uint64_t sequence = 0;  // order of acceptance; unique
  std::uint64_t created_ms = 0;
  KeptSpec spec;
  Data payload;  // dropped when Completed or Aborted; a Failed task can be replayed

  std::vector<IssuedAttempt> issued;
  TaskLog log;
  /// The attempt it is Scheduled or Sent with: always the last issued, unless an older one was
  /// kept when its node came back. Of an Unscheduled task: the attempt that it had when the
  /// dispatcher stopped, and that its node may still report. 0: none.
  std::uint32_t current = 0;
  // Why attempts ended, counted apart: each has its own limit.
  std::uint32_t faults = 0;
  std::uint32_t losses = 0;
  std::uint32_t drains = 0;
  std::int8_t priority_override = -1;  // -1: as the spec says

  // Side by side, since they leave no gaps.
  TaskId id;
  Digest digest{};
  TaskStatus status = TaskStatus::kUnscheduled;  // only the task table changes it
  bool fetched = false;  // a client acknowledged the result, or it was dropped: no data any more

  // Terminal.
  ErrorCode code = ErrorCode::kOk;
  std::uint64_t ended_ms = 0;
  ValueMap info;  // what its node said; see told_info()
  Data result;

  const IssuedAttempt* attempt(std::uint32_t number) const {
    for (const auto& a : issued)
      if (a.number == number) return &a;
    return nullptr;
  }
  IssuedAttempt* attempt(std::uint32_t number) {
    return const_cast<IssuedAttempt*>(std::as_const(*this).attempt(number));
  }
  bool is_assigned() const {
    return status == TaskStatus::kScheduled || status == TaskStatus::kSent;
  }
  int priority() const { return priority_override >= 0 ? priority_override : spec.priority(); }
  bool failed_on(const NodeId& node) const {
    return std::ranges::any_of(
        issued, [&](const IssuedAttempt& a) { return a.failed && a.node_id == node; });
  }
  /// Of what the client sent.
  std::size_t content_bytes() const { return payload.size() + spec.raw().size(); }
  /// Of its payload and result, what is in memory.
  std::size_t data_memory() const { return payload.memory() + result.memory(); }

  /// Calls `ar` with the name of each field, as stores know it, and with that field of each record:
  /// with none for the names alone, with one to read or write it, with two to copy or compare them.
  ///   key       by which a store finds the task
  ///   fixed     never changes
  ///   shown     likewise, and follows from another field: for people who look into the store
  ///   changing  is written again with each change of the task
  ///   data      may be large, so it is written only when it comes or goes
  template <class Ar, class... Record>
  static void fields(Ar& ar, Record&... task) {
    ar.key("sequence", task.sequence...);
    ar.fixed("task_id", task.id...);
    ar.fixed("digest", task.digest...);
    ar.fixed("spec", task.spec...);
    ar.shown("label", task.spec.label()...);
    ar.shown("model", task.spec.model()...);
    ar.fixed("created_ms", task.created_ms...);
    ar.changing("status", task.status...);
    ar.changing("current", task.current...);
    ar.changing("faults", task.faults...);
    ar.changing("losses", task.losses...);
    ar.changing("drains", task.drains...);
    ar.changing("priority", task.priority_override...);
    ar.changing("attempts", task.issued...);
    ar.changing("log", task.log...);
    ar.changing("code", task.code...);
    ar.changing("info", task.info...);
    ar.changing("ended_ms", task.ended_ms...);
    ar.changing("fetched", task.fetched...);
    ar.data("payload", task.payload...);
    ar.data("result", task.result...);
  }
};

}  // namespace genai::dispatcher
