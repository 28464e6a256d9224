#include "dispatcher/placement/backlog.h"

#include <algorithm>

#include "dispatcher/placement/limits.h"
#include "dispatcher/tasks/task_times.h"
#include "protocol/base/check.h"

namespace genai::dispatcher {
namespace {

/// How many of the queue's tasks come before a place. Far from the head it is reckoned from the
/// times and sequences there, since whoever asks for many must not cost a walk over all of them.
double position(const TenantQueue& queue, const TenantQueue::Key& place) {
  constexpr std::size_t kCounted = 256;
  // Who has just come is mostly the last.
  if (const TenantQueue::Key last = queue.tasks.rbegin()->first; place >= last)
    return static_cast<double>(queue.tasks.size() - (place == last ? 1 : 0));
  std::size_t counted = 0;
  auto it = queue.tasks.begin();
  for (; it != queue.tasks.end() && counted < kCounted; ++it, ++counted)
    if (it->first >= place) return static_cast<double>(counted);
  if (it == queue.tasks.end()) return static_cast<double>(counted);
  const TenantQueue::Key from = it->first, to = queue.tasks.rbegin()->first;
  const auto part = [](auto at, auto first, auto last) {
    return at <= first
               ? 0.0
               : std::min(1.0, static_cast<double>(at - first) / static_cast<double>(last - first));
  };
  const double passed = to.first > from.first     ? part(place.first, from.first, to.first)
                        : to.second > from.second ? part(place.second, from.second, to.second)
                                                  : 0.0;
  return static_cast<double>(counted) +
         passed * static_cast<double>(queue.tasks.size() - 1 - counted);
}

}  // namespace

TaskClass::Key Backlog::key_of(const TaskSpec& spec) {
  return {spec.needs, spec.max_cost, spec.time_to_money_ratio, size_class(spec.work)};
}

/// Null: there is none.
TaskClass* Backlog::find(const TaskSpec& spec) const {
  const auto is_of = [&](const TaskClass::Key& key) {
    return key.needs == spec.needs && key.max_cost == spec.max_cost &&
           key.time_to_money_ratio == spec.time_to_money_ratio && key.size == size_class(spec.work);
  };
  if (asked_for_ && is_of(asked_for_->key)) return asked_for_;
  const auto it = classes_.find(key_of(spec));
  if (it == classes_.end()) return nullptr;
  asked_for_ = const_cast<TaskClass*>(&it->second);
  return asked_for_;
}

bool Backlog::has_class_for(const TaskSpec& spec, std::size_t providers) const {
  const std::size_t most =
      std::clamp(kMaxEntries / std::max<std::size_t>(providers, 1), kLeastClasses, kMaxClasses);
  return classes_.size() - idle_.size() < most || !is_new_kind(spec);
}

void Backlog::enroll(QueueEntry& task, const TaskRecord& record, const TaskSpec& spec,
                     Duration accepted_at, const Now& now) {
  task.record = &record;
  task.priority = record.priority();
  task.accepted_at = accepted_at;
  TaskClass* known = find(spec);
  if (!known) {
    const auto key = key_of(spec);
    known = &classes_.try_emplace(key, key, measures_.model(spec.needs.model)).first->second;
  }
  TaskClass& group = *known;
  if (group.members++ == 0 && group.is_idle) {
    idle_.erase(group.idle);
    group.is_idle = false;
  }
  task.group = &group;
  // The reference is first come, first served.
  task.tenant = &tenants_.of(policy_.queue_length_only ? "" : spec.tenant);
  ++task.tenant->members;
  task.content_bytes = static_cast<std::uint32_t>(record.content_bytes());
  task.tenant->bytes += task.content_bytes;
  const Duration start = earliest_start(spec, accepted_at, now);
  task.not_before = start > now.mono ? start : Duration{0};
}

void Backlog::forget(QueueEntry& task) {
  TaskClass& group = *task.group;
  --task.tenant->members;
  task.tenant->bytes -= task.content_bytes;
  tenants_.release(*task.tenant);
  task.tenant = nullptr;
  task.group = nullptr;
  if (--group.members != 0) return;
  group.idle = idle_.insert(idle_.end(), &group);
  group.is_idle = true;
  std::size_t entries = 0;
  for (const TaskClass* idle : idle_) entries += idle->ranking.size();
  while (idle_.size() > kMaxIdleClasses || (entries > kMaxIdleEntries && idle_.size() > 1)) {
    TaskClass& oldest = *idle_.front();
    entries -= oldest.ranking.size();
    idle_.pop_front();
    if (asked_for_ == &oldest) asked_for_ = nullptr;
    classes_.erase(classes_.find(oldest.key));
  }
}

TenantQueue::Key Backlog::place_of(const QueueEntry& task) const {
  const auto credit = task.priority * static_cast<std::int64_t>(to_ms(policy_.priority_step));
  return {static_cast<std::int64_t>(task.record->created_ms) - credit, task.record->sequence};
}

void Backlog::add(QueueEntry& task, Duration now) {
  if (task.tenant->queued++ == 0) reorder(*task.tenant, [&] { tenants_.wake(*task.tenant); });
  if (task.not_before > now)
    delayed_.emplace(std::pair{task.not_before, task.record->sequence}, &task);
  else
    enter(task);
}

void Backlog::remove(QueueEntry& task) {
  --task.tenant->queued;
  if (delayed_.erase({task.not_before, task.record->sequence}) == 0) leave(task);
}

void Backlog::set_priority(QueueEntry& task, int priority) {
  const bool delayed = delayed_.contains({task.not_before, task.record->sequence});
  if (!delayed) leave(task);
  task.priority = priority;
  if (!delayed) enter(task);
}

void Backlog::release_due(Duration now) {
  while (!delayed_.empty() && delayed_.begin()->first.first <= now) {
    QueueEntry& task = *delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    enter(task);
  }
}

void Backlog::enter(QueueEntry& task) {
  TaskClass& group = *task.group;
  TenantQueue& queue = group.queues[task.tenant->name];
  if (queue.tasks.empty()) {
    queue.tenant = task.tenant;
    queue.group = &group;
    task.tenant->queues.push_back(&queue);
    if (task.tenant->may_run()) group.order.insert(&queue);
  }
  const bool inserted = queue.tasks.emplace(place_of(task), &task).second;
  GENAI_CHECK(inserted);
  if (group.queued++ == 0) set_active(group, true);
  ++queued_of_[group.model];
  ++ready_;
}

void Backlog::leave(QueueEntry& task) {
  TaskClass& group = *task.group;
  const auto it = group.queues.find(task.tenant->name);
  GENAI_CHECK(it != group.queues.end());
  TenantQueue& queue = it->second;
  const bool erased = queue.tasks.erase(place_of(task)) == 1;
  GENAI_CHECK(erased);
  if (queue.tasks.empty()) {
    group.order.erase(&queue);
    std::erase(task.tenant->queues, &queue);
    group.queues.erase(it);
  }
  if (--group.queued == 0) set_active(group, false);
  if (const auto of = queued_of_.find(group.model); --of->second == 0) queued_of_.erase(of);
  --ready_;
}

void Backlog::set_active(TaskClass& group, bool active) {
  if (active) {
    group.active_index = active_.size();
    active_.push_back(&group);
    return;
  }
  active_.back()->active_index = group.active_index;
  std::swap(active_[group.active_index], active_.back());
  active_.pop_back();
}

template <class Change>
void Backlog::reorder(Tenant& tenant, Change change) {
  // One that is alone has no other place to go to.
  for (TenantQueue* queue : tenant.queues)
    if (queue->group->order.size() > 1) queue->group->order.erase(queue);
  change();
  for (TenantQueue* queue : tenant.queues)
    if (tenant.may_run())
      queue->group->order.insert(queue);
    else
      queue->group->order.erase(queue);
}

void Backlog::placed(QueueEntry& task) {
  reorder(*task.tenant, [&] {
    ++task.tenant->running;
    tenants_.serve(*task.tenant, task.expected_s);
  });
}

void Backlog::unplaced(QueueEntry& task, double executed_s) {
  reorder(*task.tenant, [&] {
    --task.tenant->running;
    tenants_.correct(*task.tenant, executed_s - task.expected_s);
  });
}

std::size_t Backlog::queued_of(ModelId model) const {
  const auto it = queued_of_.find(model);
  return it == queued_of_.end() ? 0 : it->second;
}

double Backlog::ahead_of(const QueueEntry& task, double share) const {
  const TaskClass& group = *task.group;
  double ahead = 0, elsewhere = static_cast<double>(ready_ - group.queued);
  if (const auto own = group.queues.find(task.tenant->name); own != group.queues.end()) {
    const auto length = static_cast<double>(own->second.tasks.size());
    ahead = position(own->second, place_of(task));
    // Tenants take turns, and other classes are taken to have queues as long and as old.
    const double part = (ahead + 1) / length;
    const double others = static_cast<double>(group.queued) - length;
    const auto tenants = static_cast<double>(group.queues.size() - 1);
    elsewhere *= std::min(part, 1.0);
    ahead += std::min(others, (ahead + 1) * tenants);
  } else {
    ahead = static_cast<double>(group.queued);
  }
  return ahead + share * elsewhere;
}

void Backlog::check_invariants() const {
  std::size_t ready = 0, active = 0;
  std::map<const Tenant*, std::size_t> queued;
  for (const auto& [key, group] : classes_) {
    GENAI_CHECK(group.is_idle == (group.members == 0));
    std::size_t of_class = 0, in_order = 0;
    for (const auto& [name, queue] : group.queues) {
      GENAI_CHECK(!queue.tasks.empty() && queue.tenant->name == name && queue.group == &group);
      GENAI_CHECK(std::ranges::count(queue.tenant->queues, &queue) == 1);
      GENAI_CHECK(group.order.contains(const_cast<TenantQueue*>(&queue)) ==
                  queue.tenant->may_run());
      in_order += queue.tenant->may_run();
      of_class += queue.tasks.size();
      queued[queue.tenant] += queue.tasks.size();
      for (const auto& [place, task] : queue.tasks) {
        GENAI_CHECK(task->record->status == TaskStatus::kUnscheduled && task->group == &group);
        GENAI_CHECK(place == place_of(*task) && task->tenant == queue.tenant);
      }
    }
    GENAI_CHECK(group.order.size() == in_order);
    GENAI_CHECK(group.queued == of_class && group.members >= of_class);
    if (of_class == 0) continue;
    GENAI_CHECK(active_.at(group.active_index) == &group);
    ready += of_class;
    ++active;
  }
  for (const auto& [at, task] : delayed_) ++queued[task->tenant];
  for (const auto& [name, tenant] : tenants_.all())
    GENAI_CHECK(tenant->queued == queued[tenant.get()]);
  GENAI_CHECK(ready == ready_ && active == active_.size());
}

}  // namespace genai::dispatcher
