// Which tasks are accepted, and what their clients are told.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dispatcher/desk/desk.h"
#include "dispatcher/desk/permissions.h"
#include "dispatcher/tasks/lateness.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

/// What the key says the client need not, and it lasts as if the client had said it: within the
/// same limits.
std::optional<Error> set_tenant(TaskSpec& spec, const std::string& tenant) {
  ValueMap map = *decode_map(spec.raw);
  map["tenant"] = tenant;
  std::string raw = encode_map(map);
  if (map.size() > limits::kMaxMapEntries || raw.size() > limits::kMaxSpecBytes)
    return Error{
        ErrorCode::kTooLarge,
        fmt::format("spec: no room for the tenant of the key: more than {} keys or {} bytes",
                    limits::kMaxMapEntries, limits::kMaxSpecBytes)};
  spec.raw = std::move(raw);
  spec.tenant = tenant;
  return std::nullopt;
}

}  // namespace

/// Without a verdict the task is accepted: Accepted follows, and gives it.
void Desk::take_entry(Submitting& serving, msg::Submission& submission, const Now& now) {
  const std::size_t bytes = submission.payload.size() + submission.spec.raw.size();
  auto verdict = submit(serving.message, submission, now);
  if (!verdict) return;
  if (verdict->code != ErrorCode::kOk) serving.refused_bytes += bytes;
  serving.reply.verdicts.push_back(std::move(*verdict));
}

void Desk::take_entry(Replaying& serving, const msg::Replay::Entry& entry, const Now& now) {
  if (auto verdict = replay(entry, now)) serving.reply.verdicts.push_back(std::move(*verdict));
}

void Desk::handle(const task_event::Accepted& event, const Now& now) {
  const auto give_verdict = [&](msg::Accepted& reply) {
    reply.verdicts.push_back(acceptance(*event.task, now));
  };
  if (auto* submitting = std::get_if<Submitting>(&serving_)) {
    watch(submitting->message.watch, *event.task);
    give_verdict(submitting->reply);
  } else if (auto* replaying = std::get_if<Replaying>(&serving_)) {
    give_verdict(replaying->reply);
  }
}

std::optional<msg::Acceptance> Desk::submit(const msg::Submit& message, msg::Submission& submission,
                                            const Now& now) {
  const auto refuse = [&](ErrorCode code, std::string detail) {
    return msg::Acceptance{submission.task_id, code, std::move(detail)};
  };
  const Identity& who = *asking_.who;
  if (is_bound(who) && submission.spec.tenant != who.tenant) {
    if (!submission.spec.tenant.empty())
      return refuse(ErrorCode::kNotAllowed, "this key is for another tenant");
    if (auto error = set_tenant(submission.spec, who.tenant))
      return refuse(error->code, std::move(error->detail));
  }
  const auto digest = [&] {
    return content_digest(submission.spec.raw, submission.payload.view());
  };
  if (Task* known = tasks_.find(submission.task_id)) {
    if (known->digest != digest() || !may_see(who, known->spec.tenant()))
      return refuse(ErrorCode::kIdConflict, "this id was accepted with another content");
    watch(message.watch, *known);
    settle(*known);
    const bool waits = known->status == TaskStatus::kUnscheduled && !known->recovering;
    return waits ? acceptance(*known, now) : msg::Acceptance{known->id, ErrorCode::kOk, ""};
  }
  if (auto refusal = refusal_of(submission.task_id, submission.spec,
                                submission.payload.size() + submission.spec.raw.size(), now))
    return refusal;
  const Digest of_content = digest();
  // A small payload must not keep the frame of a whole batch in memory.
  Blob payload =
      message.tasks.size() == 1 ? std::move(submission.payload) : submission.payload.detached();
  tell(Accept{submission.task_id, std::move(submission.spec), Data(std::move(payload)), of_content,
              "accepted"});
  return std::nullopt;
}

/// A Failed task stays what it is; its content starts anew under another id.
std::optional<msg::Acceptance> Desk::replay(const msg::Replay::Entry& entry, const Now& now) {
  Task* failed = visible(entry.of);
  if (!failed)
    return msg::Acceptance{entry.as, ErrorCode::kUnknownTask, "no task " + entry.of.str()};
  if (failed->status != TaskStatus::kFailed)
    return msg::Acceptance{entry.as, ErrorCode::kNotFailed, std::string(name(failed->status))};
  if (const TaskView known = tasks_.peek(entry.as)) {
    if (known->digest == failed->digest && known.get() != failed)
      return msg::Acceptance{entry.as, ErrorCode::kOk, ""};
    return msg::Acceptance{entry.as, ErrorCode::kIdConflict,
                           "this id was accepted with another content"};
  }
  TaskSpec spec = failed->spec.whole();
  if (auto refusal = refusal_of(entry.as, spec, failed->content_bytes(), now)) return refusal;
  tell(Accept{entry.as, std::move(spec), failed->payload, failed->digest,
              "replay of " + entry.of.str()});
  tell(desk_event::Annotate{failed, "replayed as " + entry.as.str()});
  return std::nullopt;
}

msg::Acceptance Desk::acceptance(const Task& task, const Now& now) {
  msg::Acceptance answer{task.id, ErrorCode::kOk, placement_.misfits(task, now)};
  if (!answer.detail.empty()) return answer;
  answer.estimate = placement_.promise(task, now);
  if (const std::string late =
          lateness(task, placement_.entry(task)->not_before, answer.estimate, now);
      !late.empty())
    answer.detail = "late: " + late;
  return answer;
}

std::optional<Error> Desk::no_room_for(const TaskSpec& spec, std::size_t content_bytes) const {
  if (fleet_.is_superseded()) return Error{ErrorCode::kSuperseded, kSupersededText};
  if (is_draining())
    return Error{ErrorCode::kDraining, "the dispatcher takes no new tasks: it drains"};
  if (store_.state != StoreReport::State::kOk)
    return Error{ErrorCode::kStoreFull, "the disk has no room for new tasks"};
  if (tasks_.live() >= limits_.max_tasks)
    return Error{ErrorCode::kQueueFull, fmt::format("{} tasks are queued", limits_.max_tasks)};
  if (tasks_.queued_bytes() + content_bytes > limits_.max_queued_bytes)
    return Error{ErrorCode::kQueueFull, fmt::format("{} bytes are queued", tasks_.queued_bytes())};
  return placement_.no_room_for(spec, content_bytes);
}

/// Why a task that is not known yet is not taken.
std::optional<msg::Acceptance> Desk::refusal_of(const TaskId& id, const TaskSpec& spec,
                                                std::size_t content_bytes, const Now& now) {
  constexpr std::uint64_t kRetryMs = 1000;
  if (auto error = no_room_for(spec, content_bytes))
    return msg::Acceptance{
        id, error->code, std::move(error->detail), retry_after_ms(error->code, spec), {}};
  if (!placement_.is_new_kind(spec)) return std::nullopt;
  // For each kind that is new the whole fleet is looked at.
  if (!ranked_.may_ask(payer(), now.mono))
    return msg::Acceptance{id,
                           ErrorCode::kSlowDown,
                           "too many new kinds of tasks (requirements, costs) at once",
                           kRetryMs,
                           {}};
  ranked_.charge(payer(), placement_.providers().size(), now.mono);
  return std::nullopt;
}

/// When it may be worth a try: what is in the way is other tasks, which end.
std::uint64_t Desk::retry_after_ms(ErrorCode code, const TaskSpec& spec) {
  constexpr double kLeastMs = 1000, kMostMs = 60'000;
  if (code == ErrorCode::kDraining) return 0;
  const double run_s = placement_.run_s(spec).value_or(0);
  return static_cast<std::uint64_t>(std::clamp(run_s * 1000, kLeastMs, kMostMs));
}

}  // namespace genai::dispatcher
