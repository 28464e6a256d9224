#include "world.h"

#include <algorithm>

namespace genai::sim {
namespace {

// Everything must have ended this long after healing: frames may still be ten leases late, a node
// hang for its time limit, and a task wait for its ttl; where only four may be queued, first for
// the ttl of others.
constexpr Duration kMostToEnd = from_ms(3'600'000);

constexpr std::uint64_t kLargeFleet = 6;  // nodes

dispatcher::Config some_config(Rng& rng) {
  dispatcher::Config config;
  config.durable = true;
  config.prefetch = static_cast<std::uint32_t>(rng.below(3));
  config.time_limit = from_ms(20'000);
  if (rng.one_in(8)) config.max_tasks = 4;
  // In half of the worlds most payloads and results stand apart.
  if (rng.one_in(2)) config.largest_inline = rng.below(12);
  return config;
}

}  // namespace

World::World(std::uint64_t seed, Trace::Mode mode)
    : env_(seed, mode), oracle_(env_, disk_.store), network_(env_) {
  env_.oracle = &oracle_;
  env_.network = &network_;
  Rng& rng = env_.rng;
  chaos_ends_ = rng.ms(8'000, 30'000);
  const auto dispatcher = [this] { return dispatchers_[active_]->id(); };
  std::vector<HostId> broker_ids;
  const std::uint64_t nodes = rng.one_in(8) ? kLargeFleet : 1 + rng.below(4);
  const std::uint64_t brokers = 1 + rng.below(2);
  for (std::uint64_t i = 0; i < brokers; ++i) {
    brokers_.push_back(std::make_unique<BrokerHost>(env_, fmt::format("broker-{}", i)));
    broker_ids.push_back(brokers_.back()->id());
  }
  const auto config = some_config(rng);
  disk_.store.inline_bytes = config.largest_inline;
  for (const char* which : {"dispatcher-a", "dispatcher-b"}) {
    dispatchers_.push_back(
        std::make_unique<DispatcherHost>(env_, which, disk_, broker_ids, config));
    dispatchers_.back()->on_end = [this, host = dispatchers_.back().get()] {
      if (host == &active())
        env_.scheduler.in(env_.rng.ms(10, 3'000), [this, host] {
          if (!host->is_up() && host == &active()) host->start();
        });
    };
  }
  std::vector<std::string> node_ids;
  for (std::uint64_t i = 0; i < nodes; ++i) {
    NodeTraits traits{fmt::format("node-{}", i),
                      static_cast<std::uint32_t>(1 + rng.below(3)),
                      {"sdxl"},
                      broker_ids};
    if (rng.one_in(2)) traits.models.push_back("flux");
    node_ids.push_back(traits.node_id);
    nodes_.push_back(std::make_unique<NodeHost>(env_, traits));
    twins_.push_back(std::make_unique<NodeHost>(env_, traits));
    for (NodeHost* host : {nodes_.back().get(), twins_.back().get()})
      host->on_end = [this, host, first = nodes_.back().get()] {
        // Its supervisor starts the node again; the twin was a mistake.
        if (host == first)
          env_.scheduler.in(env_.rng.ms(100, 5'000), [host] {
            if (!host->is_up()) host->start();
          });
      };
  }
  const std::uint64_t clients = 1 + rng.below(2);
  for (std::uint64_t i = 0; i < clients; ++i)
    clients_.push_back(std::make_unique<ClientHost>(env_, fmt::format("client-{}", i),
                                                    fmt::format("tenant-{}", i), dispatcher));
  impostor_ = std::make_unique<Impostor>(env_, broker_ids, dispatcher, node_ids);
}

void World::run() {
  for (auto& broker : brokers_) broker->start();
  active().start();
  for (auto& node : nodes_) node->start();
  for (auto& client : clients_) client->start();
  plan_workload();
  plan_chaos();
  if (env_.faults.on(Fault::kOperator) && env_.rng.one_in(2)) plan_operations();
  env_.scheduler.at(chaos_ends_, [this] { heal(); });
  while (!is_done()) {
    if (env_.scheduler.now() > chaos_ends_ + kMostToEnd) fail_unfinished();
    require(env_.scheduler.step(), "nothing is left to happen");
  }
}

// ---- what is asked of it

TaskSpec World::some_spec() {
  Rng& rng = env_.rng;
  TaskSpec spec;
  if (rng.one_in(2)) spec.needs.model = rng.one_in(3) ? "flux" : "sdxl";
  if (rng.one_in(20)) spec.needs.model = "of nobody";
  spec.ttl_ms = rng.one_in(6) ? 2'000 + rng.below(10'000) : 60'000 + rng.below(120'000);
  if (rng.one_in(4)) spec.time_limit_ms = 1'000 + rng.below(5'000);
  spec.max_attempts = static_cast<std::uint32_t>(1 + rng.below(3));
  if (rng.one_in(3)) spec.priority = static_cast<std::uint8_t>(rng.below(10));
  const std::uint64_t wall = 1'700'000'000'000 + to_ms(env_.scheduler.now());
  // Half of them as spans from the acceptance on.
  if (rng.one_in(10)) {
    const std::uint64_t wait = rng.below(10'000);
    (wait % 2 ? spec.start_in_ms : spec.not_before_ms) = (wait % 2 ? 0 : wall) + wait;
  }
  if (rng.one_in(10)) {
    const std::uint64_t span = 20'000 + rng.below(60'000);
    (span % 2 ? spec.deadline_in_ms : spec.deadline_ms) = (span % 2 ? 0 : wall) + span;
  }
  return spec;
}

void World::submit_some(std::uint64_t tasks) {
  ClientHost& client = *env_.rng.pick(clients_);
  for (; tasks > 0; --tasks) client.submit(some_spec());
}

void World::plan_workload() {
  const std::uint64_t tasks = 3 + env_.rng.below(15);
  for (std::uint64_t i = 0; i < tasks; ++i)
    env_.scheduler.at(env_.rng.between(Duration(0), chaos_ends_), [this] { submit_some(1); });
}

// ---- what goes wrong

void World::plan_chaos() {
  env_.scheduler.in(env_.rng.ms(10, 1'500), [this] {
    if (env_.faults.healed()) return;
    strike();
    plan_chaos();
  });
}

/// A busy operator: else what only operators bring about is hardly ever met with other faults.
void World::plan_operations() {
  env_.scheduler.in(env_.rng.ms(100, 2'000), [this] {
    if (env_.faults.healed()) return;
    env_.faults.count(Fault::kOperator);
    operate();
    plan_operations();
  });
}

/// One thing, if it is on under this seed.
void World::strike() {
  Rng& rng = env_.rng;
  const auto fault = static_cast<Fault>(rng.below(kFaults));
  if (!env_.faults.on(fault)) return;
  switch (fault) {
    case Fault::kBrokerCrash:
      env_.faults.count(fault);
      return crash_and_restart(*rng.pick(brokers_));
    case Fault::kDispatcherCrash:
      env_.faults.count(fault);
      return crash_and_restart(active());
    case Fault::kNodeCrash:
      env_.faults.count(fault);
      return crash_and_restart(*rng.pick(nodes_));
    case Fault::kClientCrash:
      env_.faults.count(fault);
      return crash_and_restart(*rng.pick(clients_));
    case Fault::kPause: {
      env_.faults.count(fault);
      Host& host = *rng.pick(env_.hosts);
      env_.note("{} is paused", host.name());
      return host.pause(env_.scheduler.now() + rng.ms(100, 15'000));
    }
    case Fault::kReset:
      env_.faults.count(fault);
      return network_.reset_one();
    case Fault::kClockStep:
      env_.faults.count(fault);
      return rng.pick(env_.hosts)->step_clock(rng.ms(0, 600'000) - from_ms(300'000));
    case Fault::kOneWay:
    case Fault::kPartition:
      env_.faults.count(fault);
      return partition(fault == Fault::kOneWay);
    case Fault::kDiskFull:
      disk_.full = rng.one_in(2);
      disk_.store.low = disk_.full || rng.one_in(2);
      return;
    case Fault::kStaleDispatcher:
      return take_over();
    case Fault::kStaleSession:
      return second_session();
    case Fault::kImpostor:
      for (std::uint64_t i = 1 + rng.below(10); i > 0; --i) impostor_->attack();
      return;
    case Fault::kBurst:
      env_.faults.count(fault);
      return submit_some(5 + rng.below(15));
    case Fault::kOperator:
      env_.faults.count(fault);
      return operate();
    default:
      return;  // strikes on its own occasions
  }
}

template <class H>
void World::crash_and_restart(H& host) {
  if (!host.is_up()) return;
  host.crash();
  // A process that is started anew runs, however the last one was stopped.
  env_.scheduler.in(env_.rng.one_in(3) ? env_.rng.ms(0, 50) : env_.rng.ms(50, 9'000),
                    [this, &host] {
                      if (host.is_up() || !is_wanted(host)) return;
                      host.resume();
                      host.start();
                    });
}

/// A dispatcher that another has taken over from is not started again.
bool World::is_wanted(const Host& host) const {
  return std::ranges::none_of(dispatchers_, [&](const auto& d) { return d.get() == &host; }) ||
         &host == dispatchers_[active_].get();
}

void World::partition(bool one_way) {
  Rng& rng = env_.rng;
  const Duration until = env_.scheduler.now() + rng.ms(200, 20'000);
  const bool lose = rng.one_in(2);
  // Often one that many others talk to, and a broker of a large fleet from all: else most nodes of
  // a broker hardly ever vanish at once.
  const bool is_large = nodes_.size() == kLargeFleet;
  const bool is_broker = rng.one_in(is_large ? 2 : 4);
  const HostId one = is_broker ? rng.pick(brokers_)->id() : HostId{rng.below(env_.hosts.size())};
  const bool from_all = (is_broker && is_large) || rng.one_in(3);
  const HostId other = rng.below(env_.hosts.size());
  env_.note("{} is cut off {} {}", env_.hosts[one]->name(), one_way ? "one way from" : "from",
            from_all ? "all" : env_.hosts[other]->name());
  for (HostId host = 0; host < env_.hosts.size(); ++host) {
    if (!from_all && host != other) continue;
    network_.block(one, host, until, lose);
    if (!one_way) network_.block(host, one, until, lose);
  }
}

/// The active dispatcher seems dead, and another is started on its disk; but it only sleeps.
void World::take_over() {
  DispatcherHost& old = active();
  DispatcherHost& next = *dispatchers_[1 - active_];
  if (!old.is_up() || next.is_up()) return;
  env_.faults.count(Fault::kStaleDispatcher);
  env_.note("{} takes over from {}", next.name(), old.name());
  old.lose_lease();
  old.pause(env_.scheduler.now() + env_.rng.ms(1, 15'000));
  // It cannot write any more, and whoever fenced it off ends it before long.
  env_.scheduler.in(env_.rng.ms(0, 25'000), [this, &old] {
    if (old.is_up() && &old != &active()) old.crash();
  });
  active_ = 1 - active_;
  next.resume();
  next.start();
}

void World::second_session() {
  NodeHost& twin = *env_.rng.pick(twins_);
  if (twin.is_up()) return;
  env_.faults.count(Fault::kStaleSession);
  twin.start();
}

void World::operate() {
  Rng& rng = env_.rng;
  ClientHost& client = *rng.pick(clients_);
  NodeHost& node = *rng.pick(nodes_);
  switch (rng.below(10)) {
    case 0:
      if (client.is_up()) client.set_drained(node.traits().node_id, rng.one_in(2));
      return;
    case 1:
      if (client.is_up()) client.set_drained("", rng.one_in(2));
      return;
    case 2:
    case 3:
      if (node.is_up()) node.leave();
      return;
    case 4:
      return leave_busiest();
    case 5:  // at once, so that often no node has acknowledged the task yet
      client.submit(some_spec());
      return env_.scheduler.in(rng.ms(0, 10), [&client] { client.cancel_latest(); });
    default:
      if (client.is_up()) client.operate();
  }
}

/// The node that most likely holds what it can only give back.
void World::leave_busiest() {
  NodeHost& node = **std::ranges::max_element(
      nodes_, {}, [](const auto& host) { return host->is_up() ? host->held() : 0; });
  if (node.is_up()) node.leave();
}

// ---- and how it ends

void World::heal() {
  env_.note("everything heals");
  env_.faults.heal();
  network_.heal();
  disk_.full = disk_.store.low = false;
  for (Host* host : env_.hosts) host->resume();
  for (auto& broker : brokers_)
    if (!broker->is_up()) broker->start();
  for (auto& dispatcher : dispatchers_)
    if (dispatcher->is_up() && dispatcher.get() != &active()) dispatcher->crash();
  if (!active().is_up()) active().start();
  for (auto& twin : twins_)
    if (twin->is_up()) twin->crash();
  for (auto& node : nodes_)
    if (!node->is_up()) node->start();
  for (auto& client : clients_)
    if (!client->is_up()) client->start();
  end_drains();
}

/// Orders to drain may still be on their way.
void World::end_drains() {
  for (auto& node : nodes_) clients_.front()->set_drained(node->traits().node_id, false);
  clients_.front()->set_drained("", false);
  env_.scheduler.in(4 * kLease, [this] { end_drains(); });
}

bool World::is_done() const {
  if (!env_.faults.healed()) return false;
  const DispatcherHost& dispatcher = *dispatchers_[active_];
  return dispatcher.is_up() && dispatcher.core().live_tasks() == 0 && dispatcher.is_quiet() &&
         std::ranges::all_of(nodes_, [](const auto& node) { return node->is_settled(); }) &&
         std::ranges::all_of(clients_, [](const auto& client) { return client->is_settled(); });
}

void World::fail_unfinished() const {
  std::string what = "not everything ended after healing:";
  const DispatcherHost& dispatcher = *dispatchers_[active_];
  if (!dispatcher.is_up())
    what += " the dispatcher is down;";
  else
    what += fmt::format(" {} live tasks{};", dispatcher.core().live_tasks(),
                        dispatcher.is_quiet() ? "" : ", not written");
  for (const auto& node : nodes_)
    if (!node->is_settled()) what += fmt::format(" {} is not settled;", node->name());
  for (const auto& client : clients_)
    if (!client->is_settled())
      what += fmt::format(" {} waits for{};", client->name(), client->unsettled());
  throw Failure(what);
}

}  // namespace genai::sim
