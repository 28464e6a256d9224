#include "dispatcher/tasks/past_task.h"

#include <cstring>
#include <string_view>
#include <type_traits>

#include "protocol/base/check.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

template <class T>
void put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string_view take(std::string_view& from, std::size_t size) {
  const std::string_view part = from.substr(0, size);
  from.remove_prefix(size);
  return part;
}
template <class T>
T take(std::string_view& from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, take(from, sizeof value).data(), sizeof value);
  return value;
}

}  // namespace

PastTask::Head PastTask::head() const {
  std::string_view bytes = bytes_;
  return take<Head>(bytes);
}

std::string_view PastTask::tenant() const {
  return std::string_view(bytes_).substr(sizeof(Head), head().tenant_bytes);
}

static_assert(limits::kMaxNameBytes <= UINT8_MAX);

PastTask::PastTask(const Task& task) {
  GENAI_CHECK(is_terminal(task.status) && task.fetched && task.watchers.empty());
  GENAI_CHECK(task.payload.empty() && task.result.empty());
  const std::string info = task.info.empty() ? std::string() : encode_map(task.info);
  Head head{};
  head.digest = task.digest;
  head.sequence = task.sequence;
  head.created_ms = task.created_ms;
  head.accepted_at = task.accepted_at;
  head.acknowledged_at = task.acknowledged_at;
  head.ended_at = task.ended_at;
  head.fetched_at = task.fetched_at;
  head.log_entries = task.stored.log_entries;
  head.faults = task.faults;
  head.losses = task.losses;
  head.drains = task.drains;
  head.ended_by = task.ended_by;
  head.current = task.current;
  head.tenant_bytes = static_cast<std::uint8_t>(task.spec.tenant.size());
  head.label_bytes = static_cast<std::uint8_t>(task.spec.label.size());
  head.model_bytes = static_cast<std::uint8_t>(task.spec.needs.model.size());
  head.priority = task.spec.priority;
  head.info_bytes = static_cast<std::uint32_t>(info.size());
  head.issued = static_cast<std::uint32_t>(task.issued.size());
  head.priority_override = static_cast<std::int16_t>(task.priority_override);
  head.code = task.code;
  head.status = task.status;
  head.acknowledged = task.acknowledged;
  head.stored = task.stored.exists;
  bytes_.reserve(sizeof head + task.spec.tenant.size() + task.spec.label.size() +
                 task.spec.needs.model.size() + info.size() +
                 task.issued.size() * sizeof(IssuedAttempt) + task.log.bytes());
  put(bytes_, head);
  bytes_.append(task.spec.tenant).append(task.spec.label).append(task.spec.needs.model);
  bytes_.append(info);
  for (const IssuedAttempt& attempt : task.issued) put(bytes_, attempt);
  bytes_.append(task.log.raw());
}

std::unique_ptr<Task> PastTask::revive(const TaskId& id) const {
  std::string_view bytes = bytes_;
  const Head head = take<Head>(bytes);
  auto task = std::make_unique<Task>();
  task->id = id;
  task->spec.tenant = take(bytes, head.tenant_bytes);
  task->spec.label = take(bytes, head.label_bytes);
  task->spec.needs.model = take(bytes, head.model_bytes);
  task->spec.priority = head.priority;
  if (head.info_bytes != 0) task->info = *decode_map(take(bytes, head.info_bytes));
  task->issued.reserve(head.issued);
  for (std::uint32_t i = 0; i < head.issued; ++i)
    task->issued.push_back(take<IssuedAttempt>(bytes));
  task->log = TaskLog::from_raw(bytes);
  task->digest = head.digest;
  task->sequence = head.sequence;
  task->created_ms = head.created_ms;
  task->accepted_at = head.accepted_at;
  task->acknowledged_at = head.acknowledged_at;
  task->ended_at = head.ended_at;
  task->fetched_at = head.fetched_at;
  task->faults = head.faults;
  task->losses = head.losses;
  task->drains = head.drains;
  task->ended_by = head.ended_by;
  task->current = head.current;
  task->priority_override = head.priority_override;
  task->code = head.code;
  task->status = head.status;
  task->acknowledged = head.acknowledged;
  task->fetched = true;
  task->stored.exists = head.stored;
  task->stored.log_entries = head.log_entries;
  return task;
}

}  // namespace genai::dispatcher
