#include "dispatcher/store/committer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "dispatcher/store/parts.h"
#include "protocol/base/check.h"
#include "protocol/base/planted.h"

namespace genai::dispatcher {
namespace {

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  if (to.empty())
    to = std::move(from);
  else
    to.insert(to.end(), std::move_iterator(from.begin()), std::move_iterator(from.end()));
  from.clear();
}

void append(Messages& to, Messages&& from) {
  append(to.to_brokers, std::move(from.to_brokers));
  append(to.to_clients, std::move(from.to_clients));
}

}  // namespace

Committer::Committer(Settings settings, const Now& now) : settings_(std::move(settings)) {
  report_.name = settings_.name;
  if (!settings_.durable) return;
  if (settings_.low) set_state(StoreReport::State::kLow);
  look_at_ = now.mono + kLookWhileLow;
}

void Committer::handle(Pass pass, const Now& now) {
  changes_due_ = pass.changes_due;
  unwritten_bytes_ = pass.unwritten_bytes;
  if (GENAI_PLANTED(kSendUncommitted)) return append(released_, std::move(pass.promises));
  if (held() < settings_.max_held_messages && !failed_) append(held_, std::move(pass.promises));
  // They rest on nothing that is not written, or is about to be.
  if (!is_busy() && !stuck_ && now.mono < changes_due_ && !stopping_) release_held();
}

void Committer::handle(Changes changes, const Now&) {
  GENAI_CHECK(!is_busy() && !stuck_ && !failed_);
  changes_due_ = changes.rest_due;
  unwritten_bytes_ = 0;
  took_all_ = changes.batch.empty();
  if (took_all_) return release_held();  // what was new is gone again
  in_flight_ = std::exchange(held_, {});
  write(std::move(changes.batch));
}

void Committer::handle(Frees frees, const Now&) {
  GENAI_CHECK(stuck_ && !is_busy() && !failed_);
  store::Batch batch = std::move(*std::exchange(stuck_, std::nullopt));
  store::append(batch, std::move(frees.batch));
  write(std::move(batch));
}

void Committer::handle(store::CommitReport done, const Now& now) {
  GENAI_CHECK(is_busy());
  const bool wrote = std::exchange(writing_, false);
  looking_ = false;
  if (!done.result) {
    const store::Failure failure = done.result.error().failure;
    if (failure != store::Failure::kFull && failure != store::Failure::kLocked)
      return fail(std::move(done.result.error()));
    // Nothing that waits for this batch was promised to anybody, so it can wait for room.
    report_.tasks += done.entries - done.left.size();
    if (wrote) stuck_ = std::move(done.left);
    set_state(StoreReport::State::kFull, std::move(done.result.error().detail));
    look_at_ = now.mono + kRetry;
    return;
  }
  if (wrote) {
    stored_ = true;
    append(released_, std::exchange(in_flight_, {}));
    ++report_.commits;
    report_.tasks += done.entries;
    report_.last_us = done.took_us;
  }
  set_state(done.low ? StoreReport::State::kLow : StoreReport::State::kOk);
  look_at_ = now.mono + (done.low ? kLookWhileLow : kLook);
  if (now.mono < changes_due_ && !stopping_) release_held();
}

void Committer::handle(Stop, const Now&) {
  stopping_ = true;
  took_all_ = false;
}

void Committer::expire(const Now& now) {
  if (is_busy() || stuck_ || failed_ || now.mono < look_at_) return;
  look_at_ = kNever;
  looking_ = true;
  events_.emplace_back(Look{});
}

Duration Committer::next_deadline() const {
  if (is_busy() || failed_) return kNever;
  return stuck_ ? look_at_ : std::min(look_at_, changes_due_);
}

std::vector<Committer::Event> Committer::take_events() {
  if (!released_.empty()) events_.emplace_back(Release{std::exchange(released_, {})});
  return std::exchange(events_, {});
}

Committer::Needs Committer::needs(const Now& now) const {
  if (is_busy() || failed_) return Needs::kNothing;
  if (stuck_) return look_at_ <= now.mono ? Needs::kFrees : Needs::kNothing;
  return changes_due_ <= now.mono || stopping_ ? Needs::kChanges : Needs::kNothing;
}

Committer::Reading Committer::reading() const {
  if (stopping_ || failed_) return Reading::kNothing;
  const bool is_behind =
      held() > settings_.max_held_messages / 2 || unwritten_bytes_ > settings_.max_unwritten_bytes;
  return is_behind ? Reading::kLinks : Reading::kAll;
}

bool Committer::is_done() const {
  if (!stopping_) return false;
  // Room may never come.
  return failed_ || report_.state == StoreReport::State::kFull || (is_idle() && took_all_);
}

void Committer::set_state(StoreReport::State state, std::string detail) {
  if (std::exchange(report_.state, state) != state)
    events_.emplace_back(StateChanged{state, std::move(detail)});
}

void Committer::write(store::Batch batch) {
  writing_ = true;
  look_at_ = kNever;
  events_.emplace_back(Write{std::move(batch)});
}

void Committer::fail(store::StoreError error) {
  failed_ = true;
  if (GENAI_PLANTED(kSpeakAfterFence)) append(released_, std::move(in_flight_));
  held_ = {};
  in_flight_ = {};
  events_.emplace_back(Failed{std::move(error)});
}

void Committer::release_held() { append(released_, std::exchange(held_, {})); }

void Committer::check() const {
  GENAI_CHECK(!(writing_ && looking_));
  GENAI_CHECK(!(stuck_ && is_busy()));
  GENAI_CHECK(in_flight_.empty() || is_running());
  GENAI_CHECK(!stuck_ || report_.state == StoreReport::State::kFull);
  GENAI_CHECK(settings_.durable || (!is_busy() && !stuck_));
  GENAI_CHECK(!failed_ || held() == 0);
}

}  // namespace genai::dispatcher
