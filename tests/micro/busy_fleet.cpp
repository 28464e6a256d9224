#include "tests/micro/busy_fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "protocol/wire/codec.h"
#include "tests/micro/binary_id.h"

namespace genai::micro {

using namespace dispatcher;

namespace {

constexpr double kRunSeconds = 10;  // of the slowest

Duration from_seconds(double s) { return Duration(std::llround(s * 1e6)); }

}  // namespace

BusyFleet::BusyFleet(const Shape& shape)
    : shape_(shape),
      measures_(!shape.known),
      backlog_(config_, measures_, tenants_),
      providers_(config_, measures_),
      scheduler_(measures_, backlog_, providers_) {
  for (std::size_t i = 0; i < shape.classes; ++i) models_.push_back(fmt::format("model-{}", i));
  for (std::size_t i = 0; i < shape.providers; ++i) join(i);
  const auto running = static_cast<std::size_t>(static_cast<double>(shape.providers) * shape.busy);
  const bool is_full = shape.busy >= 1;
  const std::size_t count = is_full ? 2 * shape.providers + shape.queued : running;
  for (std::size_t i = 0; i < count; ++i) enter(jobs_.emplace_back());
  place();
  // Full providers end in the order in which they began, all at once: let that wear off.
  for (std::size_t i = 0; i < shape.providers; ++i) {
    advance();
    end();
    submit();
    place();
  }
}

void BusyFleet::join(std::size_t number) {
  Provider& provider = providers_.add(binary_id<SessionId>(number),
                                      *NodeId::parse(fmt::format("node-{}", number)), now_);
  PublicMetaInfo meta;
  meta.models = models_;
  providers_.set_meta(provider, meta, now_.mono);
  run_s_.push_back(shape_.known ? kRunSeconds * std::pow(10, -draw_.uniform()) : kRunSeconds);
  if (shape_.known)
    for (const std::string& model : models_)
      measures_.ran(provider.record->measured, measures_.model(model), 0, run_s_.back(), 0,
                    to_ms(now_.wall));
  providers_.reindex(provider, now_.mono);
}

void BusyFleet::enter(Job& job) {
  const auto handle =
      job.record.sequence == 0 ? static_cast<TaskHandle>(jobs_.size() - 1) : job.entry.handle;
  job = {};
  job.record.sequence = ++sequence_;
  job.record.created_ms = to_ms(now_.wall);
  TaskSpec spec;
  spec.needs.model = models_[draw_.below(models_.size())];
  spec = make_spec(std::move(spec), {});
  job.record.spec = KeptSpec(spec);
  job.entry.handle = handle;
  backlog_.enroll(job.entry, job.record, spec, Duration{0}, now_);
  backlog_.add(job.entry, now_.mono);
}

void BusyFleet::begin(Provider& provider, QueueEntry& task) {
  const double run_s = run_s_[provider.index] * draw_.lognormal(0.1);
  executing_.push({seconds(now_.mono) + run_s, &task, &provider});
}

void BusyFleet::advance() {
  if (executing_.empty()) throw std::logic_error("no task was placed");
  const Duration next = std::max(now_.mono, from_seconds(executing_.top().ends_s));
  now_.wall += next - now_.mono;
  now_.mono = next;
}

void BusyFleet::end() {
  const Execution ended = executing_.top();
  executing_.pop();
  QueueEntry& task = *ended.task;
  Provider& provider = *ended.provider;
  const double took_s = seconds(now_.mono - task.begun_at);
  measures_.ran(provider.record->measured, task.group->model, 0, took_s, 0, to_ms(now_.wall));
  Job& job = job_of(task);
  job.record.status = TaskStatus::kCompleted;
  providers_.take(provider, task, now_.mono);
  backlog_.unplaced(task, took_s);
  backlog_.forget(task);
  providers_.count_success(provider, now_.mono);
  done_ = &job;
  if (!provider.tasks.empty()) begin(provider, *provider.tasks.front());
}

void BusyFleet::submit() { enter(*done_); }

void BusyFleet::place() {
  scheduler_.start();
  while (const auto placement = scheduler_.next(now_)) {
    QueueEntry& task = *placement->task;
    Provider& provider = *placement->provider;
    backlog_.remove(task);
    job_of(task).record.status = TaskStatus::kScheduled;
    providers_.give(provider, task, now_.mono);
    backlog_.placed(task);
    if (provider.tasks.size() == 1) begin(provider, task);
  }
}

}  // namespace genai::micro
