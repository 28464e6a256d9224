// The loop around the core: bounded drain, handle, expire, do what the core says.
#include "genai/node.h"

#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

#include "protocol/base/limits.h"
#include "protocol/base/overloaded.h"
#include "protocol/transport/drain.h"
#include "protocol/transport/socket.h"
#include "protocol/transport/system.h"
#include "tools/node/session_core.h"
#include "tools/node/workers.h"

namespace genai::node {
namespace {

constexpr int kQueueMessages = 1000;
// Other threads' reports and heartbeats wait for no longer.
constexpr transport::Turn kTurn{1000, std::size_t{64} << 20, from_ms(100)};
// For the last words of a leaving node.
constexpr int kLingerMs = 500;

CoreConfig core_config(const NodeConfig& config) {
  PublicMetaInfo meta;
  meta.models = config.models;
  meta.loaded_models = config.loaded_models;
  meta.gpu_type = config.gpu_type;
  meta.ncpu = config.ncpu;
  meta.ram_mib = config.ram_mib;
  meta.vram_mib = config.vram_mib;
  meta.slots = config.slots;
  meta.min_cost = config.min_cost;
  return {*NodeId::parse(config.node_id), transport::random_id<SessionId>(), std::move(meta),
          config.drain_timeout};
}

void require_good(const NodeConfig& config) {
  if (const auto problem = config_problem(config))
    throw std::invalid_argument("NodeConfig::" + problem->member + ": " + problem->what);
}

}  // namespace

struct GENAI_LOCAL Node::Impl {
  Impl(NodeConfig given, AsyncHandler run, std::uint32_t threads, EventCallback callback)
      : config((require_good(given), std::move(given))),
        curve(*transport::curve_client(config.key_file, config.server_key)),
        handler(std::move(run)),
        max_threads(threads),
        on_event(std::move(callback)) {}

  RunEnd run();
  bool drain(SessionCore& core);
  void take_reports(SessionCore& core, Workers& workers, const Now& now);
  std::optional<RunEnd> carry_out(SessionCore& core, Workers& workers, const Now& now);
  void connect();

  const NodeConfig config;
  const std::optional<transport::CurveClient> curve;
  const AsyncHandler handler;
  const std::uint32_t max_threads;
  const EventCallback on_event;
  // Shared with replies, which may outlive the node.
  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();

  // Of run() only.
  std::optional<transport::Context> context;
  std::optional<transport::Dealer> dealer;
  transport::PollSet poll;
};

/// Nothing of the old connection may still go out: an old HELLO would call the session back to it.
void Node::Impl::connect() {
  const auto make = [&] {
    return transport::Dealer(*context, {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages},
                             config.broker_endpoint, curve);
  };
  if (!dealer)
    dealer.emplace(make());
  else
    transport::renew(*dealer, make);
  poll.clear();
  poll.add(*dealer);
  poll.add_fd(mailbox->fd());
}

RunEnd Node::Impl::run() {
  context.emplace();
  connect();
  SessionCore core(core_config(config), transport::read_clock());
  Workers workers(max_threads, handler, mailbox);
  std::optional<RunEnd> end;
  for (;;) {
    const bool more = drain(core);
    const Now now = transport::read_clock();
    take_reports(core, workers, now);
    core.expire(now);
    end = carry_out(core, workers, now);
    if (end) break;
    const Duration due = core.next_deadline();
    const Duration idle = due == kNever ? kNever : due - transport::read_clock().mono;
    poll.wait(more ? Duration(0) : idle);
  }
  dealer->ref().set(zmq::sockopt::linger, kLingerMs);
  return *end;
}

/// True when messages may be left.
bool Node::Impl::drain(SessionCore& core) {
  return transport::drain(*dealer, kTurn, [&](const transport::Received& received) {
    core.handle(SessionCore::Frame{received.frame}, transport::read_clock());
  });
}

void Node::Impl::take_reports(SessionCore& core, Workers& workers, const Now& now) {
  for (Report::Kind& report : mailbox->take()) {
    if (const auto* finished = std::get_if<Report::Finished>(&report))
      workers.forget(finished->ref);
    std::visit([&](auto& told) { core.handle(std::move(told), now); }, report);
  }
}

/// How the node ended, once it has.
std::optional<RunEnd> Node::Impl::carry_out(SessionCore& core, Workers& workers, const Now& now) {
  std::optional<RunEnd> end;
  bool unsent = false;
  const Overloaded carry_out{
      [&](SessionCore::Reconnect) { connect(); },
      [&](SessionCore::Send& send) {
        unsent |= dealer->send(std::move(send.frame)) != transport::SendResult::kQueued;
      },
      [&](SessionCore::Start& start) { workers.start(std::move(start)); },
      [&](const SessionCore::Stop& stop) { workers.stop(stop.ref); },
      [&](const Event& event) {
        if (on_event) on_event(event);
      },
      [&](RunEnd& how) { end = std::move(how); },
  };
  for (SessionCore::Event& event : core.take_events()) std::visit(carry_out, event);
  if (unsent) core.handle(SessionCore::Unsent{}, now);
  return end;
}

Node::Node(NodeConfig config, Handler handler, EventCallback on_event) {
  const std::uint32_t threads = config.slots;
  impl_ = std::make_unique<Impl>(std::move(config), answering_at_once(std::move(handler)), threads,
                                 std::move(on_event));
}

Node::Node(NodeConfig config, AsyncHandler handler, EventCallback on_event)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(handler), 1, std::move(on_event))) {
}

Node::~Node() = default;

RunEnd Node::run() { return impl_->run(); }

void Node::leave(std::string reason) { impl_->mailbox->put(Report::Leave{std::move(reason)}); }

void Node::force() { impl_->mailbox->put(Report::Force{}); }

void Node::set_loaded_models(std::vector<std::string> models) {
  NodeConfig changed = impl_->config;
  changed.loaded_models = models;
  require_good(changed);
  impl_->mailbox->put(Report::LoadedModels{std::move(models)});
}

}  // namespace genai::node
