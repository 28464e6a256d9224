#include "tools/client/session_core.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/base/planted.h"
#include "protocol/wire/codec.h"

namespace genai::client {
namespace {

using Level = LogEvent::Level;

// Enough to keep the dispatcher busy; the rest waits here rather than in socket queues.
constexpr std::size_t kMaxBatches = 16;
// What one connection may ask in a second was used up.
constexpr Duration kAfterSlowDown = from_ms(1000);

std::size_t bytes_of(const msg::Submission& s) {
  return s.payload.size() + s.spec.raw.size() + s.task_id.view().size() + 64;
}

}  // namespace

void SessionCore::handle(Submit submit, const Now& now) {
  if (!waits()) heard_at_ = now.mono;  // silence counts from the first question
  const TaskId id = submit.submission.task_id;
  if (conflicts(submit.submission)) {
    events_.push_back(
        msg::Acceptance{id, ErrorCode::kIdConflict, "this id is open with another content"});
    return;
  }
  open_[id] = Open{std::move(submit.submission), true, false, false, submit.level};
  unsent_.push_back(id);
}

bool SessionCore::conflicts(const msg::Submission& submission) const {
  const auto it = open_.find(submission.task_id);
  if (it == open_.end() || !it->second.mine) return false;
  const msg::Submission& open = it->second.submission;
  return open.spec.raw != submission.spec.raw || open.payload != submission.payload;
}

void SessionCore::handle(const Watch& watch, const Now& now) {
  const auto& [ids, level] = watch;
  if (!waits()) heard_at_ = now.mono;
  for (const TaskId& id : ids) {
    if (level == msg::WatchLevel::kNone) {
      // Its result may be on its way. Nobody here will have it, so it is not to be acknowledged,
      // unless the caller has got it from an earlier watch.
      if (open_.erase(id) && !held_.contains(id) && !aside_.contains(id)) left_.insert(id);
      continue;
    }
    auto [it, added] = open_.try_emplace(id);
    if (added) {
      it->second.submission.task_id = id;
      it->second.accepted = true;
    }
    it->second.level = level;
  }
}

void SessionCore::handle(const Unknown& unknown, const Now&) {
  if (auto it = open_.find(unknown.id); it != open_.end() && !it->second.mine) open_.erase(it);
}

std::uint64_t SessionCore::handle(Ask ask, const Now& now) {
  const std::uint64_t number = ++last_request_;
  std::visit(
      [&](auto& body) {
        if constexpr (requires { body.request; })
          body.request = number;
        else
          GENAI_CHECK(false && "this message is no question");
      },
      ask.message);
  this->ask(number, std::move(ask.message), now);
  return number;
}

void SessionCore::handle(GiveUp give_up, const Now&) { pending_.erase(give_up.request); }

void SessionCore::ask(std::uint64_t number, ClientRequest message, const Now& now) {
  if (!waits()) heard_at_ = now.mono;
  send_unsent(now);  // a CANCEL must not overtake the SUBMIT of its task
  send(message);
  pending_.emplace(number, Pending{std::move(message), now.mono + kRepeat});
}

void SessionCore::send_unsent(const Now& now) {
  while (!unsent_.empty() && batches_.size() < kMaxBatches) {
    std::vector<TaskId> ids;
    std::size_t bytes = 0;
    while (!unsent_.empty() && ids.size() < limits::kMaxBatchEntries) {
      auto it = open_.find(unsent_.front());
      if (it == open_.end() || it->second.accepted) {
        unsent_.pop_front();
        continue;
      }
      const std::size_t size = bytes_of(it->second.submission);
      if (!ids.empty() && bytes + size > limits::kBatchTargetBytes) break;
      // One message has one watch level.
      if (!ids.empty() && open_.at(ids.front()).level != it->second.level) break;
      bytes += size;
      ids.push_back(unsent_.front());
      unsent_.pop_front();
    }
    if (!ids.empty()) send_batch(std::move(ids), now);
  }
}

void SessionCore::send_batch(std::vector<TaskId> ids, const Now& now) {
  msg::Submit message{++last_request_, open_.at(ids.front()).level, {}};
  for (const TaskId& id : ids) message.tasks.push_back(open_.at(id).submission);
  send(message);
  batches_.emplace(message.request, Batch{std::move(ids), now.mono + kRepeat});
}

void SessionCore::note(Level level, std::string text,
                       std::vector<std::pair<std::string, Value>> fields) {
  events_.push_back(LogEvent{level, std::move(text), std::move(fields)});
}

void SessionCore::handle(const Frame& frame, const Now& now) {
  auto message = decode<ClientReply>(frame.bytes);
  if (!message)
    return note(Level::kWarn, "the dispatcher sent what cannot be read",
                {{"detail", message.error().detail}});
  heard_at_ = now.mono;
  if (std::exchange(silent_, false)) note(Level::kInfo, "the dispatcher answers again");
  std::visit([&](auto& body) { on(body, now); }, *message);
}

template <class M>
void SessionCore::on_reply(M& message) {
  const std::uint64_t number = message.request;
  // Only TASKS answers a WATCH of our own: a refusal (the disk is full) may not be the last word.
  if (rewatches_.contains(number)) return;
  if (pending_.erase(number)) events_.push_back(Reply{number, std::move(message)});
}

void SessionCore::on(msg::Accepted& message, const Now&) {
  if (pending_.contains(message.request)) return on_reply(message);  // to a REPLAY
  if (auto batch = batches_.find(message.request); batch != batches_.end()) {
    // What was sent but is not named here has no answer yet: it is repeated in time.
    std::unordered_set<TaskId> named;
    for (const msg::Acceptance& verdict : message.verdicts) named.insert(verdict.task_id);
    std::erase_if(batch->second.ids, [&](const TaskId& id) { return named.contains(id); });
    if (batch->second.ids.empty()) batches_.erase(batch);
  }
  for (msg::Acceptance& verdict : message.verdicts) {
    auto it = open_.find(verdict.task_id);
    if (it == open_.end() || it->second.accepted) continue;
    if (verdict.code != ErrorCode::kOk) {
      end_refused(std::move(verdict));
      continue;
    }
    // Nothing more is told about a task at level none.
    if (it->second.level != msg::WatchLevel::kNone)
      it->second.accepted = true;
    else
      open_.erase(it);
    events_.push_back(std::move(verdict));
  }
}

/// Nobody waits for a second verdict on a task that was accepted, forgotten and submitted again:
/// its refusal is its end.
void SessionCore::end_refused(msg::Acceptance verdict) {
  const bool again = open_.at(verdict.task_id).again;
  open_.erase(verdict.task_id);
  if (again)
    end_failed(verdict.task_id, verdict.code,
               "the dispatcher forgot this task and refused it then: " + verdict.detail);
  else
    events_.push_back(std::move(verdict));
}

void SessionCore::end_failed(const TaskId& id, ErrorCode code, const std::string& why) {
  events_.push_back(msg::Deliver::Entry{id, TaskStatus::kFailed, code, {{"error", why}}, {}});
}

/// Each result is handed on once. What comes again was acknowledged before, or is still with the
/// caller: then its watch is ended, which stops the repetition, and the result stays. The same goes
/// for every result that an onlooker sees.
void SessionCore::on(msg::Deliver& message, const Now&) {
  std::vector<TaskId> done, stays;
  for (auto& entry : message.entries) {
    const TaskId& id = entry.task_id;
    auto it = open_.find(id);
    if (it == open_.end()) {
      if (held_.erase(id)) aside_.insert(id);
      const bool is_kept = acknowledge_ && !aside_.contains(id) && !left_.contains(id);
      (is_kept ? done : stays).push_back(id);
      continue;
    }
    aside_.erase(id);  // it was watched again
    left_.erase(id);
    if (acknowledge_)
      held_.insert(id);
    else
      stays.push_back(id);
    // The result of a task whose ACCEPTED was lost says that it was accepted.
    if (!it->second.accepted) events_.push_back(msg::Acceptance{id, ErrorCode::kOk, ""});
    open_.erase(it);
    events_.push_back(std::move(entry));
  }
  if (!done.empty()) send(msg::DeliverAck{std::move(done)});
  end_watches(stays);
}

void SessionCore::handle(const Acknowledge& acknowledge, const Now&) {
  msg::DeliverAck message;
  for (const TaskId& id : acknowledge.ids) {
    if (held_.erase(id) + aside_.erase(id) == 0) continue;
    message.ids.push_back(id);
    if (message.ids.size() == limits::kMaxBatchEntries) send(std::exchange(message, {}));
  }
  if (!message.ids.empty()) send(message);
}

void SessionCore::handle(SetAside, const Now&) {
  end_watches({held_.begin(), held_.end()});
  aside_.merge(held_);
}

void SessionCore::handle(const Leave& leave, const Now&) {
  std::vector<TaskId> given;
  for (const TaskId& id : leave.ids)
    if (held_.erase(id) + aside_.erase(id) > 0) given.push_back(id);
  left_.insert(given.begin(), given.end());
  end_watches(given);
}

void SessionCore::end_watches(const std::vector<TaskId>& ids) {
  for (std::size_t at = 0; at < ids.size(); at += limits::kMaxBatchEntries) {
    const std::size_t end = std::min(ids.size(), at + limits::kMaxBatchEntries);
    msg::Watch message{++last_request_, msg::WatchLevel::kNone, {}};
    message.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(at),
                       ids.begin() + static_cast<std::ptrdiff_t>(end));
    send(message);
  }
}

void SessionCore::on(msg::Update& message, const Now&) {
  for (auto& entry : message.entries)
    if (open_.contains(entry.task_id)) events_.push_back(std::move(entry));
}

void SessionCore::on(msg::Pong& message, const Now& now) {
  const bool restarted = epoch_ != 0 && message.epoch != epoch_;
  epoch_ = message.epoch;
  if (restarted) note(Level::kInfo, "the dispatcher was restarted");
  // A transport that reconnects by itself does not say so: to the dispatcher we are somebody new,
  // for whom it watches nothing.
  const bool forgotten =
      message.watched < watched_tasks() && rewatches_.empty() && rewatch_at_ <= now.mono;
  if (forgotten) rewatch_at_ = now.mono + kRewatch;
  if (restarted || forgotten) watch_again(now);
  on_reply(message);
}

/// For so many at least the dispatcher has a watch, if it has forgotten none: a result is watched
/// until it is acknowledged. Without those a busy client's new tasks would make up for old ones
/// that were forgotten.
std::size_t SessionCore::watched_tasks() const {
  const auto accepted =
      std::ranges::count_if(open_, [](const auto& entry) { return entry.second.accepted; });
  return static_cast<std::size_t>(accepted) + held_.size();
}

/// The answer to a WATCH of our own: what is missing from it was forgotten by the dispatcher.
void SessionCore::on(msg::Tasks& message, const Now&) {
  auto it = rewatches_.find(message.request);
  if (it == rewatches_.end()) return on_reply(message);
  std::vector<TaskId> missing = std::move(it->second);
  rewatches_.erase(it);
  pending_.erase(message.request);
  std::unordered_set<std::string> known;
  for (const ValueMap& task : message.tasks) known.insert(get_string(task, "task_id"));
  std::erase_if(missing, [&](const TaskId& id) { return known.contains(id.str()); });
  const auto again =
      std::ranges::count_if(missing, [&](const TaskId& id) { return submit_again(id); });
  if (again > 0)
    note(Level::kWarn, "tasks that the dispatcher forgot are submitted again",
         {{"tasks", static_cast<std::uint64_t>(again)}});
}

/// Of a task that the dispatcher forgot: false when it is not ours to submit, and ends here.
bool SessionCore::submit_again(const TaskId& id) {
  auto it = open_.find(id);
  if (it == open_.end()) return false;
  if (it->second.mine) {
    // One that was submitted anew meanwhile still waits for its verdict.
    it->second.again = it->second.again || it->second.accepted;
    it->second.accepted = false;
    unsent_.push_back(id);
    return true;
  }
  open_.erase(it);
  end_failed(id, ErrorCode::kUnknownTask, "the dispatcher does not know this task");
  return false;
}

void SessionCore::on(msg::ErrorReply& message, const Now& now) {
  if (message.code == ErrorCode::kSlowDown && pending_.contains(message.request)) {
    pending_.at(message.request).repeat_at = now.mono + kAfterSlowDown;
    return;
  }
  if (auto it = batches_.find(message.request); it != batches_.end()) {
    for (const TaskId& id : it->second.ids) {
      auto open = open_.find(id);
      if (open == open_.end() || open->second.accepted) continue;
      end_refused({id, message.code, message.detail});
    }
    batches_.erase(it);
    return;
  }
  // About nothing in particular: what was asked and has no answer is asked again anyway.
  if (message.request == 0)
    return note(Level::kWarn, "the dispatcher says",
                {{"code", genai::name(message.code)}, {"detail", message.detail}});
  // Unknown tasks of a WATCH are missing from its TASKS: that is where they are dealt with.
  if (message.code == ErrorCode::kUnknownTask && !is_fetch(message.request)) return;
  on_reply(message);
}

bool SessionCore::is_fetch(std::uint64_t request) const {
  const auto it = pending_.find(request);
  return it != pending_.end() && std::holds_alternative<msg::Fetch>(it->second.message);
}

void SessionCore::watch_again(const Now& now) {
  if (GENAI_PLANTED(kForgetToWatchAgain)) return;
  aside_.merge(held_);  // their watches have ended
  std::map<msg::WatchLevel, std::vector<TaskId>> by_level;
  for (const auto& [id, open] : open_)
    if (open.accepted) by_level[open.level].push_back(id);
  for (auto& [level, ids] : by_level) {
    for (std::size_t at = 0; at < ids.size(); at += limits::kMaxBatchEntries) {
      const std::size_t end = std::min(ids.size(), at + limits::kMaxBatchEntries);
      msg::Watch watch{++last_request_, level, {}};
      watch.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(at),
                       ids.begin() + static_cast<std::ptrdiff_t>(end));
      rewatches_.emplace(watch.request, watch.ids);
      ask(watch.request, watch, now);
    }
  }
}

/// A fresh connection knows nothing: what is open is said again.
void SessionCore::renew(const Now& now) {
  events_.push_back(Reconnect{});
  if (!std::exchange(silent_, true))
    note(Level::kWarn, "no answer from the dispatcher: connecting anew");
  heard_at_ = now.mono;
  pinged_at_ = Duration{0};
  for (auto& [number, batch] : batches_)
    unsent_.insert(unsent_.begin(), batch.ids.begin(), batch.ids.end());
  batches_.clear();
  for (const auto& [number, ids] : std::exchange(rewatches_, {})) pending_.erase(number);
  for (auto& [number, pending] : pending_) {
    send(pending.message);
    pending.repeat_at = now.mono + kRepeat;
  }
  watch_again(now);
}

void SessionCore::expire(const Now& now) {
  if (waits()) {
    if (heard_at_ + kDead <= now.mono) renew(now);
    // Pings tell whether the dispatcher is there, and its epoch: while tasks are open they go on
    // whatever else it says, since one that restarted answers as if nothing had happened.
    const bool quiet = heard_at_ + kPing <= now.mono;
    const bool never = epoch_ == 0 && pinged_at_ == Duration{0};
    if (never || (pinged_at_ + kPing <= now.mono && (quiet || !open_.empty()))) {
      pinged_at_ = now.mono;
      send(msg::Ping{++last_request_});
    }
  }
  for (auto& [number, pending] : pending_) {
    if (pending.repeat_at > now.mono) continue;
    pending.repeat_at = now.mono + kRepeat;
    send(pending.message);
  }
  for (auto it = batches_.begin(); it != batches_.end();) {
    if (it->second.repeat_at > now.mono) {
      ++it;
      continue;
    }
    unsent_.insert(unsent_.begin(), it->second.ids.begin(), it->second.ids.end());
    it = batches_.erase(it);
  }
  send_unsent(now);
}

Duration SessionCore::next_deadline() const {
  if (!events_.empty() || (!unsent_.empty() && batches_.size() < kMaxBatches)) return Duration{0};
  if (!waits()) return kNever;
  Duration at = std::min(std::max(heard_at_, pinged_at_) + kPing, heard_at_ + kDead);
  if (!open_.empty()) at = std::min(at, pinged_at_ + kPing);
  for (const auto& [number, pending] : pending_) at = std::min(at, pending.repeat_at);
  for (const auto& [number, batch] : batches_) at = std::min(at, batch.repeat_at);
  return at;
}

void SessionCore::check() const {
  std::unordered_set<TaskId> on_the_way(unsent_.begin(), unsent_.end());
  for (const auto& [number, batch] : batches_)
    on_the_way.insert(batch.ids.begin(), batch.ids.end());
  for (const auto& [id, open] : open_) {
    GENAI_CHECK(open.submission.task_id == id);
    GENAI_CHECK(open.mine || open.accepted);
    GENAI_CHECK(open.accepted || on_the_way.contains(id));
  }
  for (const TaskId& id : held_) GENAI_CHECK(!aside_.contains(id) && !left_.contains(id));
  for (const auto& [number, ids] : rewatches_) GENAI_CHECK(pending_.contains(number));
  GENAI_CHECK(batches_.size() <= kMaxBatches);
}

}  // namespace genai::client
