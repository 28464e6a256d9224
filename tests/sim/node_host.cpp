#include "node_host.h"

#include "oracle.h"
#include "protocol/base/overloaded.h"
#include "protocol/wire/messages.h"

namespace genai::sim {
namespace {

using Core = node::SessionCore;

Identity node_identity(const std::string& node_id) {
  return {
      .kind = Identity::Kind::kNode, .key = "key of " + node_id, .node = *NodeId::parse(node_id)};
}

node::TaskResult result_of(const AssignmentRef& ref, const std::string& data) {
  if (!has_bundle(ref.task_id)) return node::TaskResult::ok(data);
  constexpr std::size_t kFirst = 7;
  return node::TaskResult::bundle(
      {{"picture.txt", {}, data.substr(0, kFirst), {{"attempt", std::int64_t{ref.attempt}}}},
       {"words/of it.txt", {}, data.substr(kFirst), {}}});
}

}  // namespace

NodeHost::NodeHost(Environment& env, NodeTraits traits)
    : Host(env, traits.node_id),
      traits_(std::move(traits)),
      line_(env, id(), 0, Port::kNodes, node_identity(traits_.node_id)),
      broker_(traits_.brokers.front()) {}

void NodeHost::start() {
  session_ = env_.fresh_id<SessionId>();
  PublicMetaInfo meta;
  meta.slots = traits_.slots;
  meta.models = traits_.models;
  core_ = std::make_unique<node::SessionCore>(
      node::CoreConfig{*NodeId::parse(traits_.node_id), session_, meta}, clock());
  executing_.clear();
  done_.clear();
  ++life_;
  broker_ = env_.rng.pick(traits_.brokers);
  forget_arrivals();
  env_.note("{} starts as {}", name(), session_.short_hex());
  wake_now();
}

void NodeHost::crash() {
  env_.note("{} is killed", name());
  core_.reset();
  line_.reopen();
  forget_arrivals();
  env_.network->close_all(id());
}

void NodeHost::leave() {
  env_.note("{} is asked to leave", name());
  core_->handle(node::Report::Leave{"the operator says so"}, clock());
  wake_now();
}

void NodeHost::run(const Now& clock) {
  for (const Arrival& arrival : take_arrivals())
    if (arrival.connection == line_.connection()) core_->handle(Core::Frame{arrival.frame}, clock);
  for (auto& [ref, result] : std::exchange(done_, {}))
    core_->handle(node::Report::Finished{ref, std::move(result)}, clock);
  if (env_.faults.on(Fault::kLyingNode)) lie();
  core_->expire(clock);
  core_->check();
  carry_out(clock);
}

void NodeHost::carry_out(const Now& clock) {
  bool unsent = false;
  std::optional<node::RunEnd> end;
  const Overloaded carry_out{
      [&](Core::Reconnect) {
        line_.reopen();
        if (env_.rng.one_in(4)) broker_ = env_.rng.pick(traits_.brokers);
      },
      [&](Core::Send& send) {
        unsent |= line_.send(broker_, std::move(send.frame)) != Sent::kQueued;
      },
      [&](const Core::Start& start) { execute(start.ref); },
      [&](const Core::Stop& stop) {
        if (executing_.contains(stop.ref))
          plan_end(stop.ref, env_.rng.ms(0, 500), node::TaskResult::error("stopped"));
      },
      [&](const node::Event& event) { on(event); },
      [&](node::RunEnd& how) { end = std::move(how); },
  };
  for (Core::Event& event : core_->take_events()) std::visit(carry_out, event);
  if (unsent) core_->handle(Core::Unsent{}, clock);
  if (!end) return;
  env_.note("{} ends: {}", name(), end->text);
  crash();
  on_end();
}

void NodeHost::on(const node::Event& event) {
  env_.coverage.count("node " + std::string(sim::name(event.kind)));
  env_.note("{}: {} {} {}", name(), sim::name(event.kind), event.task_id, event.text);
}

void NodeHost::execute(const AssignmentRef& ref) {
  env_.oracle->executed(ref, session_);
  require(!executing_.contains(ref), "{} executes {} twice at once", name(), ref.task_id.str());
  require(executing_.size() < traits_.slots, "{} executes more than it has slots", name());
  executing_[ref] = 0;
  if (env_.rng.one_in(3)) core_->handle(node::Report::Progress{ref, 0.5, "half way"}, clock());
  Duration takes = env_.rng.one_in(4) ? env_.rng.ms(500, 12'000) : env_.rng.ms(5, 1'500);
  if (env_.rng.percent(85)) {
    const std::string data = fmt::format("picture of {} by {}@{} of {}", ref.task_id.str(),
                                         ref.attempt, ref.epoch, session_.short_hex());
    env_.oracle->produced(ref, session_, data);
    plan_end(ref, takes, result_of(ref, data));
  } else {
    if (env_.rng.one_in(4)) takes = from_ms(100'000);  // it hangs
    plan_end(ref, takes, node::TaskResult::error("out of memory"));
  }
}

void NodeHost::plan_end(const AssignmentRef& ref, Duration wait, node::TaskResult result) {
  const std::uint64_t number = ++ends_planned_;
  executing_.at(ref) = number;
  env_.scheduler.in(wait, [this, ref, number, life = life_, result = std::move(result)] {
    auto it = executing_.find(ref);
    if (!core_ || life != life_ || it == executing_.end() || it->second != number) return;
    executing_.erase(it);
    done_.emplace_back(ref, result);
    wake_now();
  });
}

/// Says what is not so, of its own work and of that of others.
void NodeHost::lie() {
  if (env_.faults.strikes(Fault::kLyingNode, env_.rng, 1))
    if (const auto held = core_->held(); !held.empty()) {
      env_.coverage.count("node drops a task");
      core_->handle(Core::Drop{env_.rng.pick(held)}, clock());
    }
  if (env_.faults.strikes(Fault::kLyingNode, env_.rng, 1)) line_.send(broker_, "nonsense");
  if (env_.faults.strikes(Fault::kLyingNode, env_.rng, 3)) line_.send(broker_, encode(made_up()));
  if (env_.faults.strikes(Fault::kLyingNode, env_.rng, 1))
    if (const auto held = core_->held(); !held.empty())
      line_.send(broker_, encode(end_of(env_.rng.pick(held))));
}

/// That it has ended in some way, though it goes on.
Message NodeHost::end_of(const AssignmentRef& ref) {
  static constexpr std::uint64_t kCodes[] = {0, 503, 505, 513, 514};
  const auto outcome = env_.rng.one_in(2) ? msg::Outcome::kError : msg::Outcome::kReturned;
  const ValueMap info{{"code", kCodes[env_.rng.below(5)]}, {"error", "so it says"}};
  return msg::Result{{{ref, outcome, info, {}}}};
}

Message NodeHost::made_up() {
  std::vector<AssignmentRef> others;
  for (const auto& [ref, session] : env_.oracle->issued())
    if (session != session_) others.push_back(ref);
  AssignmentRef ref{*TaskId::parse("unheard-of"), 1, 1};
  if (!others.empty()) ref = env_.rng.pick(others);
  if (env_.rng.one_in(4)) ref.attempt += 100;  // never to be issued
  if (env_.rng.one_in(8)) ref.epoch += 100;
  switch (env_.rng.below(5)) {
    case 0:
      return msg::AssignAck{{{ref, ErrorCode::kOk, ""}}};
    case 1:
      return msg::Result{{{ref, msg::Outcome::kOk, {}, Blob("forged")}}};
    case 2:
      return msg::AbortAck{{{ref, msg::AbortOutcome::kStopped}}};
    case 3:
      return msg::Progress{{{ref, 0.9, "nearly"}}};
    default:
      return msg::Result{{{ref, msg::Outcome::kError, {{"error", "forged"}}, {}}}};
  }
}

}  // namespace genai::sim
