#include "client_host.h"

#include <algorithm>
#include <utility>

#include "oracle.h"

namespace genai::sim {
namespace {

using Core = client::SessionCore;

Identity admin_identity(const std::string& tenant) {
  return {.kind = Identity::Kind::kClient,
          .key = "key of " + tenant,
          .tenant = tenant,
          .is_admin = true};
}

constexpr Duration kLookAgain = from_ms(3000);

}  // namespace

ClientHost::ClientHost(Environment& env, std::string name, std::string tenant,
                       std::function<HostId()> dispatcher)
    : Host(env, std::move(name)),
      tenant_(std::move(tenant)),
      dispatcher_(std::move(dispatcher)),
      line_(env, id(), 0, Port::kClients, admin_identity(tenant_)) {}

/// It does not know what its former self was told: it submits again, or asks for the results.
void ClientHost::start() {
  const Now now = clock();
  core_ = std::make_unique<client::SessionCore>(now);
  forget_arrivals();
  to_acknowledge_.clear();
  watch_again_ = false;
  for (auto& [id, job] : jobs_) {
    if (job.done) continue;
    if (job.accepted && env_.rng.one_in(2)) {
      core_->handle(Core::Watch{{id}, msg::WatchLevel::kResult}, now);
      watch_again_ = true;
    } else {
      job.again_at = kNever;
      submit(job);
    }
  }
  if (watch_again_) watch_accepted();
  act_at_ = now.mono + kLookAgain;
  wake_now();
}

void ClientHost::crash() {
  env_.note("{} is killed", name());
  core_.reset();
  forget_arrivals();
  line_.reopen();
  env_.network->close_all(id());
}

void ClientHost::submit(TaskSpec spec) {
  const TaskId task = id_of(++submitted_);
  spec.tenant = tenant_;
  Job& job = jobs_[task];
  job.submission = {task, make_spec(std::move(spec), {}), Blob("prompt of " + task.str())};
  job.level = env_.rng.one_in(3) ? msg::WatchLevel::kProgress : msg::WatchLevel::kResult;
  if (!core_) return;
  submit(job);
  wake_now();
}

void ClientHost::submit(const Job& job) {
  core_->handle(Core::Submit{job.submission, job.level}, clock());
}

void ClientHost::ask(ClientRequest message) {
  core_->handle(Core::Ask{std::move(message)}, clock());
}

void ClientHost::acknowledge() {
  core_->handle(Core::Acknowledge{std::exchange(to_acknowledge_, {})}, clock());
}

void ClientHost::run(const Now& clock) {
  for (const Arrival& arrival : take_arrivals())
    if (arrival.connection == line_.connection()) core_->handle(Core::Frame{arrival.frame}, clock);
  if (act_at_ <= clock.mono) {
    act_at_ = clock.mono + kLookAgain;
    resubmit(clock);
    if (watch_again_) watch_accepted();
    acknowledge();
  }
  core_->expire(clock);
  core_->check();
  for (Core::Event& event : core_->take_events())
    std::visit([this](auto& body) { on(body); }, event);
  if (core_->next_deadline() <= clock.mono) wake_now();
}

void ClientHost::watch_accepted() {
  watch_again_ = false;
  msg::Watch watch{0, msg::WatchLevel::kResult, {}};
  for (auto& [id, job] : jobs_)
    if (job.accepted && !job.done && core_->is_open(id)) watch.ids.push_back(id);
  if (!watch.ids.empty()) ask(std::move(watch));
}

void ClientHost::resubmit(const Now& clock) {
  for (auto& [id, job] : jobs_) {
    if (job.done || job.again_at > clock.mono) continue;
    job.again_at = kNever;
    submit(job);
  }
}

void ClientHost::on(Core::Reconnect) {
  env_.coverage.count("client renews its connection");
  line_.reopen();
}

void ClientHost::on(Core::Send& send) { line_.send(dispatcher_(), std::move(send.frame)); }

void ClientHost::on(const LogEvent& event) { show(event); }

void ClientHost::on(const msg::Acceptance& verdict) {
  Job* job = find(verdict.task_id);
  if (!job) return;
  env_.coverage.count(fmt::format("verdict {}", genai::name(verdict.code)));
  switch (verdict.code) {
    case ErrorCode::kOk:
      job->accepted = true;
      return;
    case ErrorCode::kQueueFull:
    case ErrorCode::kStoreFull:
    case ErrorCode::kDraining:
    case ErrorCode::kOverQuota:
      require(!job->accepted || job->done, "{} was accepted, and is then refused: {}",
              verdict.task_id.str(), verdict.detail);
      job->again_at = clock().mono + kLookAgain;
      return;
    case ErrorCode::kSuperseded:  // by one that only slept: what the other accepted it cannot know
      job->again_at = clock().mono + kLookAgain;
      return;
    case ErrorCode::kIdConflict:
      // An id that nobody was promised is anybody's: a stranger was first.
      if (env_.oracle->is_taken_from(verdict.task_id, tenant_)) {
        jobs_.erase(verdict.task_id);
        return;
      }
      [[fallthrough]];
    default:
      throw Failure(fmt::format("{} is refused: {} {}", verdict.task_id.str(),
                                genai::name(verdict.code), verdict.detail));
  }
}

void ClientHost::on(const msg::Deliver::Entry& entry) {
  Job* job = find(entry.task_id);
  require(job != nullptr, "{} is told of {}, which it does not know", name(), entry.task_id.str());
  require(!job->done || job->end == entry.status, "{} ended twice", entry.task_id.str());
  require(entry.code != ErrorCode::kUnknownTask || job->purged, "{} was accepted, and is unknown",
          entry.task_id.str());
  env_.coverage.count(
      fmt::format("delivered {} {}", genai::name(entry.status), genai::name(entry.code)));
  env_.note("{} gets {}: {}", name(), entry.task_id.str(), genai::name(entry.status));
  job->accepted = job->done = true;
  job->end = entry.status;
  to_acknowledge_.push_back(entry.task_id);
  if (env_.rng.one_in(2)) acknowledge();
}

void ClientHost::on(const Core::Reply& reply) {
  const ClientReply& message = reply.message;
  if (const auto* error = std::get_if<msg::ErrorReply>(&message)) {
    env_.coverage.count(fmt::format("error {}", genai::name(error->code)));
    // It may have been to a WATCH.
    if (error->code == ErrorCode::kStoreFull) watch_again_ = true;
  }
  const auto count = [&](const char* what, const auto* answer) {
    if (!answer) return;
    for (const auto& verdict : answer->verdicts)
      env_.coverage.count(fmt::format("{} {}", what, genai::name(verdict.code)));
  };
  count("replay", std::get_if<msg::Accepted>(&message));
  count("cancel", std::get_if<msg::Cancelled>(&message));
  count("delete", std::get_if<msg::Deleted>(&message));
  count("purge", std::get_if<msg::Purged>(&message));
  count("reprioritise", std::get_if<msg::Reprioritised>(&message));
}

void ClientHost::operate() {
  const auto open = open_jobs();
  wake_now();
  switch (env_.rng.below(9)) {
    case 0:
    case 1:
      if (!open.empty()) ask(msg::Cancel{0, {env_.rng.pick(open)}});
      return;
    case 2:
      if (!open.empty())
        ask(msg::Reprioritise{
            0, static_cast<std::uint8_t>(env_.rng.below(10)), {env_.rng.pick(open)}});
      return;
    case 3:
      ask(msg::List{0, {{"limit", 5}}});
      ask(msg::NodesQuery{0, true});
      ask(msg::StatsQuery{0});
      return;
    case 4:
      if (!jobs_.empty()) fetch_some();
      return;
    case 5:
      return forget_some();
    default:
      break;
  }
  for (auto& [id, job] : jobs_) {
    if (!job.done || job.end != TaskStatus::kFailed || job.purged) continue;
    if (env_.rng.one_in(2)) {
      job.purged = true;
      env_.oracle->asked_to_purge(id);
      ask(msg::Purge{0, {id}});
    } else {
      const TaskId as = id_of(++submitted_);
      ask(msg::Replay{0, {{id, as}}});
    }
    return;
  }
}

void ClientHost::fetch_some() {
  const auto job =
      std::next(jobs_.begin(), static_cast<std::ptrdiff_t>(env_.rng.below(jobs_.size())));
  ask(msg::Fetch{0, job->first, env_.rng.below(12), env_.rng.below(40)});
}

void ClientHost::forget_some() {
  for (auto& [id, job] : jobs_) {
    if (!job.done || job.purged || !env_.rng.one_in(4)) continue;
    job.purged = true;
    env_.oracle->asked_to_purge(id);
    return ask(msg::Delete{0, {id}});
  }
}

void ClientHost::cancel_latest() {
  const TaskId task = id_of(submitted_);
  if (const Job* job = find(task); core_ && job && !job->done) {
    ask(msg::Cancel{0, {task}});
    wake_now();
  }
}

void ClientHost::set_drained(const std::string& target, bool on) {
  ask(msg::Drain{0, target, on});
  wake_now();
}

std::vector<TaskId> ClientHost::open_jobs() const {
  std::vector<TaskId> ids;
  for (const auto& [id, job] : jobs_)
    if (!job.done) ids.push_back(id);
  return ids;
}

TaskId ClientHost::id_of(unsigned number) const {
  return *TaskId::parse(fmt::format("{}-{}", name(), number));
}

ClientHost::Job* ClientHost::find(const TaskId& id) {
  auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : &it->second;
}

bool ClientHost::is_settled() const {
  return std::ranges::all_of(jobs_, [](const auto& entry) { return entry.second.done; });
}

std::string ClientHost::unsettled() const {
  std::string out;
  for (const auto& [id, job] : jobs_)
    if (!job.done) out += fmt::format(" {}{}", id.str(), job.accepted ? "" : " (not accepted)");
  return out;
}

}  // namespace genai::sim
