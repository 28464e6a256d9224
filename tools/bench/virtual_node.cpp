#include "tools/bench/virtual_node.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace genai::bench {
namespace {

Duration work_of(const Blob& payload) {
  const std::string_view text = payload.view();
  Duration::rep us = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), us).ec != std::errc())
    throw std::logic_error("not a payload for a virtual node");
  return Duration(us);
}

}  // namespace

Blob payload_of(Duration work) { return Blob(std::to_string(work.count())); }

VirtualNode::VirtualNode(NodeTraits traits, Draw draw)
    : traits_(std::move(traits)), draw_(std::move(draw)) {
  for (const std::string& model : traits_.loaded) memory_.push_back({model, Duration{0}, true});
}

void VirtualNode::handle(const ToNode& message) {
  if (const auto* assign = std::get_if<msg::Assign>(&message)) {
    msg::AssignAck ack;
    for (const auto& entry : assign->entries) {
      take(entry);
      ack.entries.push_back({entry.ref, ErrorCode::kOk, ""});
    }
    messages_.push_back(std::move(ack));
  } else if (const auto* aborts = std::get_if<msg::Abort>(&message)) {
    msg::AbortAck ack;
    for (const auto& entry : aborts->entries) ack.entries.push_back({entry.ref, abort(entry)});
    messages_.push_back(std::move(ack));
  } else if (const auto* results = std::get_if<msg::ResultAck>(&message)) {
    for (const auto& entry : results->entries)
      if (const auto job = find(entry.ref); job != jobs_.end()) jobs_.erase(job);
  } else if (!std::holds_alternative<msg::Keep>(message)) {
    throw std::logic_error("the dispatcher sent a virtual node what no node should get");
  }
}

/// An assignment that comes again is only acknowledged again.
void VirtualNode::take(const msg::Assignment& entry) {
  if (find(entry.ref) != jobs_.end()) return;
  const std::string& model = entry.spec.needs.model;
  if (!model.empty() && !traits_.models.contains(model))
    throw std::logic_error("a task was assigned to a node without its model");
  const double us = static_cast<double>(work_of(entry.payload).count()) / traits_.speed;
  jobs_.push_back({.ref = entry.ref, .model = model, .run = Duration(std::llround(us))});
}

msg::AbortOutcome VirtualNode::abort(const msg::Abort::Entry& entry) {
  const auto job = find(entry.ref);
  if (job == jobs_.end()) return msg::AbortOutcome::kNotHeld;
  if (job->state == Job::State::kFinished) return msg::AbortOutcome::kFinished;
  if (job->state == Job::State::kRunning && entry.code == ErrorCode::kTakenBack)
    return msg::AbortOutcome::kStarted;
  jobs_.erase(job);
  return msg::AbortOutcome::kStopped;
}

void VirtualNode::tick(Duration now) {
  for (Loaded& loaded : memory_)
    if (!loaded.is_ready && loaded.ready_at <= now) loaded.is_ready = memory_changed_ = true;
  for (Job& job : jobs_)
    if (job.state == Job::State::kRunning && job.ends <= now) finish(job);
  std::size_t busy = running();
  for (Job& job : jobs_) {
    if (job.state != Job::State::kWaiting) continue;
    if (busy++ == traits_.slots || !start(job, now)) return;
  }
}

/// False while every model in memory is in use and the job's is not among them.
bool VirtualNode::start(Job& job, Duration now) {
  Duration begins = now;
  if (!job.model.empty()) {
    auto loaded = find_loaded(job.model);
    if (loaded == memory_.end()) {
      if (memory_.size() == traits_.memory_models) {
        const auto idle = std::ranges::find_if(
            memory_, [&](const Loaded& other) { return !is_in_use(other.model); });
        if (idle == memory_.end()) return false;
        memory_.erase(idle);
        memory_changed_ = true;
      }
      job.load = traits_.models.at(job.model);
      ++loads_;
      memory_.push_back({job.model, now + job.load, false});
    } else {
      std::rotate(loaded, loaded + 1, memory_.end());
    }
    begins = std::max(now, memory_.back().ready_at);
  }
  job.state = Job::State::kRunning;
  job.ends = begins + job.run;
  return true;
}

void VirtualNode::finish(Job& job) {
  job.state = Job::State::kFinished;
  job.ends = kNever;
  msg::Result::Entry entry{job.ref, msg::Outcome::kOk, {{"run_ms", to_ms(job.run)}}, {}};
  if (job.load > Duration{0}) entry.info["load_ms"] = to_ms(job.load);
  if (traits_.failure_ratio > 0 && draw_.uniform() < traits_.failure_ratio) {
    ++errors_;
    entry.outcome = msg::Outcome::kError;
    entry.info["error"] = "drawn by lot";
  }
  messages_.push_back(msg::Result{{std::move(entry)}});
}

Duration VirtualNode::next_deadline() const {
  Duration at = kNever;
  for (const Job& job : jobs_) at = std::min(at, job.ends);
  for (const Loaded& loaded : memory_)
    if (!loaded.is_ready) at = std::min(at, loaded.ready_at);
  return at;
}

PublicMetaInfo VirtualNode::meta() const {
  PublicMetaInfo meta;
  for (const auto& [model, load] : traits_.models) meta.models.push_back(model);
  meta.loaded_models = loaded_models();
  meta.slots = traits_.slots;
  return meta;
}

std::vector<AssignmentRef> VirtualNode::held() const {
  std::vector<AssignmentRef> refs;
  for (const Job& job : jobs_) refs.push_back(job.ref);
  return refs;
}

std::vector<std::string> VirtualNode::loaded_models() const {
  std::vector<std::string> models;
  for (const Loaded& loaded : memory_)
    if (loaded.is_ready) models.push_back(loaded.model);
  return models;
}

std::size_t VirtualNode::running() const {
  return static_cast<std::size_t>(std::ranges::count(jobs_, Job::State::kRunning, &Job::state));
}

std::vector<VirtualNode::Job>::iterator VirtualNode::find(const AssignmentRef& ref) {
  return std::ranges::find(jobs_, ref, &Job::ref);
}

std::vector<VirtualNode::Loaded>::iterator VirtualNode::find_loaded(const std::string& model) {
  return std::ranges::find(memory_, model, &Loaded::model);
}

bool VirtualNode::is_in_use(const std::string& model) const {
  return std::ranges::any_of(jobs_, [&](const Job& job) {
    return job.state == Job::State::kRunning && job.model == model;
  });
}

}  // namespace genai::bench
