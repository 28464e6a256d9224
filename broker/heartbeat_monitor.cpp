#include "broker/heartbeat_monitor.h"

#include <algorithm>
#include <iterator>

#include "protocol/base/check.h"

namespace genai::broker {

Duration HeartbeatMonitor::advance(Duration now) {
  if (!started_) {
    started_ = true;
    last_ = now;
    return Duration(0);
  }
  if (now <= last_) return Duration(0);
  const Duration gap = now - last_;
  last_ = now;
  if (gap <= timing_.suspect / 2) return Duration(0);
  skipped_ += gap;
  return gap;
}

Duration HeartbeatMonitor::hold(Duration now) {
  if (!started_ || now <= last_) return Duration(0);
  const Duration gap = now - last_;
  last_ = now;
  skipped_ += gap;
  return gap;
}

void HeartbeatMonitor::heard(const SessionId& session) {
  Entries& fresh = stages_[kFresh];
  const auto known = entries_.find(session);
  if (known == entries_.end()) {
    fresh.push_back({session, clock(), kFresh});
    entries_.emplace(session, std::prev(fresh.end()));
    return;
  }
  const Entries::iterator entry = known->second;
  fresh.splice(fresh.end(), stages_[entry->stage], entry);
  entry->heard = clock();
  entry->stage = kFresh;
}

void HeartbeatMonitor::forget(const SessionId& session) {
  const auto known = entries_.find(session);
  if (known == entries_.end()) return;
  stages_[known->second->stage].erase(known->second);
  entries_.erase(known);
}

HeartbeatMonitor::Verdicts HeartbeatMonitor::judge() {
  Verdicts verdicts;
  while (is_due(kFresh)) {
    const Entry& entry = stages_[kFresh].front();
    verdicts.suspect.push_back({entry.session, clock() - entry.heard});
    move_front(kFresh, kSuspect);
  }
  const std::size_t silent = stages_[kSuspect].size();
  const std::size_t watched = silent + stages_[kFresh].size();
  // Nodes beat at different moments, so those that vanish together do not come due together: what
  // counts is how many are silent when the first one is due.
  if (is_due(kSuspect) && watched >= kMassVanishNodes && 2 * silent > watched) {
    verdicts.reprieved = silent;
    while (!stages_[kSuspect].empty()) move_front(kSuspect, kReprieved);
  }
  for (const Stage stage : {kReprieved, kSuspect})
    while (is_due(stage)) verdicts.lost.push_back(lose_front(stage));
  return verdicts;
}

Duration HeartbeatMonitor::next_deadline() const {
  const Duration interval = std::min(timing_.heartbeat, timing_.suspect / 4);
  Duration deadline = last_ + interval;
  for (const Stage stage : {kFresh, kSuspect, kReprieved})
    if (!stages_[stage].empty())
      deadline = std::min(deadline, stages_[stage].front().heard + allowance(stage) + skipped_);
  return deadline;
}

bool HeartbeatMonitor::is_suspect(const SessionId& session) const {
  const auto known = entries_.find(session);
  return known != entries_.end() && known->second->stage != kFresh;
}

Duration HeartbeatMonitor::allowance(Stage stage) const {
  if (stage == kFresh) return timing_.suspect;
  return stage == kSuspect ? timing_.lost : 2 * timing_.lost;
}

bool HeartbeatMonitor::is_due(Stage stage) const {
  const Entries& entries = stages_[stage];
  return !entries.empty() && entries.front().heard + allowance(stage) <= clock();
}

void HeartbeatMonitor::move_front(Stage from, Stage to) {
  const auto entry = stages_[from].begin();
  entry->stage = to;
  stages_[to].splice(stages_[to].end(), stages_[from], entry);
}

HeartbeatMonitor::Verdict HeartbeatMonitor::lose_front(Stage stage) {
  const Entry entry = stages_[stage].front();
  stages_[stage].pop_front();
  entries_.erase(entry.session);
  return {entry.session, clock() - entry.heard};
}

void HeartbeatMonitor::check() const {
  std::size_t listed = 0;
  for (const Stage stage : {kFresh, kSuspect, kReprieved}) {
    const Entries& entries = stages_[stage];
    listed += entries.size();
    const auto later = [](const Entry& a, const Entry& b) { return a.heard < b.heard; };
    GENAI_CHECK(std::is_sorted(entries.begin(), entries.end(), later));
    for (const Entry& entry : entries) {
      GENAI_CHECK(entry.stage == stage);
      GENAI_CHECK(entry.heard <= clock());
    }
  }
  GENAI_CHECK(listed == entries_.size());
}

}  // namespace genai::broker
