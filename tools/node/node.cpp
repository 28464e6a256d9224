// The loop around the core: bounded drain, handle, tick, apply.
#include "genai/node.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "protocol/base/limits.h"
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
  void apply(SessionCore& core, Workers& workers, const Now& now);
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
  Effects effects;
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
  bool more = false;
  for (;;) {
    more = drain(core);
    const Now now = transport::read_clock();
    take_reports(core, workers, now);
    core.tick(now, effects);
    apply(core, workers, now);
    if (effects.end) break;
    effects.clear();
    const Duration due = core.next_deadline();
    const Duration idle = due == kNever ? kNever : due - transport::read_clock().mono;
    poll.wait(more ? Duration(0) : idle);
  }
  dealer->ref().set(zmq::sockopt::linger, kLingerMs);
  return *std::exchange(effects.end, std::nullopt);
}

/// True when messages may be left.
bool Node::Impl::drain(SessionCore& core) {
  return transport::drain(*dealer, kTurn, [&](const transport::Received& received) {
    core.handle_frame(received.frame, transport::read_clock(), effects);
  });
}

void Node::Impl::take_reports(SessionCore& core, Workers& workers, const Now& now) {
  for (Report::Kind& report : mailbox->take()) {
    if (auto* progress = std::get_if<Report::Progress>(&report)) {
      core.handle_progress(progress->ref, progress->fraction, progress->text);
    } else if (auto* finished = std::get_if<Report::Finished>(&report)) {
      workers.forget(finished->ref);
      core.handle_finished(finished->ref, std::move(finished->result), now, effects);
    } else if (auto* leave = std::get_if<Report::Leave>(&report)) {
      core.leave(leave->reason, now, effects);
    } else if (auto* loaded = std::get_if<Report::LoadedModels>(&report)) {
      core.set_loaded_models(std::move(loaded->models));
    } else {
      core.force(now, effects);
    }
  }
}

void Node::Impl::apply(SessionCore& core, Workers& workers, const Now& now) {
  if (effects.reconnect) connect();
  bool unsent = false;
  for (std::string& frame : effects.frames)
    unsent |= dealer->send(std::move(frame)) != transport::SendResult::kQueued;
  if (unsent) core.handle_unsent(now);
  for (const AssignmentRef& ref : effects.stop) workers.stop(ref);
  for (auto& task : effects.start) workers.start(std::move(task));
  if (!on_event) return;
  for (const Event& event : effects.events) on_event(event);
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
