// The public session: the callbacks, the connection, and the clock.
#include "genai/client/session.h"

#include <utility>

#include "protocol/transport/system.h"
#include "tools/client/calls.h"
#include "tools/client/connection.h"

namespace genai::client {
namespace {

Now now() { return transport::read_clock(); }

}  // namespace

struct GENAI_LOCAL Session::Impl {
  explicit Impl(const Config& config)
      : connection(config), calls(config, transport::new_task_id, now()) {
    connection.settle(calls.next_deadline());
  }
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Something was asked for: process() is to see to it.
  void stir() {
    if (calls.next_deadline() <= now().mono) connection.wake();
  }
  void carry_out();
  void turn();
  void finish();

  Connection connection;
  Calls calls;
};

Session::Impl::~Impl() {
  try {
    calls.expire(now());
    finish();
  } catch (const std::exception&) {
    // Then what was asked for last is not sent.
  }
}

void Session::Impl::carry_out() {
  Outgoing outgoing = calls.take_outgoing();
  if (outgoing.reconnect) connection.renew();
  for (std::string& frame : outgoing.frames) connection.send(std::move(frame));
}

void Session::Impl::turn() {
  connection.drain([this](const Blob& frame) { calls.handle(frame, now()); });
  calls.expire(now());
  carry_out();
}

void Session::Impl::finish() {
  carry_out();
  connection.settle(calls.next_deadline());
}

Session::Session(Config config) try : impl_(std::make_unique<Impl>(config)) {
} catch (const zmq::error_t& error) {
  throw ClientError(Errc::kSystem, error.what());
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

int Session::fd() const { return impl_->connection.fd(); }

void Session::process() {
  try {
    impl_->turn();
  } catch (const zmq::error_t& error) {
    throw ClientError(Errc::kSystem, error.what());
  }
  try {
    impl_->calls.call();
  } catch (...) {
    impl_->finish();
    throw;
  }
  impl_->finish();
}

Answer<std::string> Session::submit(TaskRequest request, TaskCallbacks callbacks, Watch watch) {
  std::vector<TaskRequest> one;
  one.push_back(std::move(request));
  auto ids = submit(std::move(one), std::move(callbacks), watch);
  if (!ids) return ids.failure();
  return std::move(ids->front());
}

Answer<std::vector<std::string>> Session::submit(std::vector<TaskRequest> requests,
                                                 TaskCallbacks callbacks, Watch watch) {
  auto ids = impl_->calls.submit(std::move(requests), std::move(callbacks), watch, now());
  impl_->stir();
  return ids;
}

void Session::watch(const std::vector<std::string>& ids, TaskCallbacks callbacks, Watch watch,
                    Callback<std::vector<TaskInfo>> known) {
  impl_->calls.watch(ids, std::move(callbacks), watch, std::move(known), now());
  impl_->stir();
}

void Session::acknowledge(const std::vector<std::string>& ids) {
  impl_->calls.acknowledge(ids, now());
  impl_->stir();
}

void Session::leave(const std::vector<std::string>& ids) {
  impl_->calls.leave(ids, now());
  impl_->stir();
}

void Session::set_aside() {
  impl_->calls.set_aside(now());
  impl_->stir();
}

std::size_t Session::open_tasks() const { return impl_->calls.open_tasks(); }

bool Session::has_heard() const { return impl_->calls.has_heard(); }

bool Session::is_open(const std::string& id) const { return impl_->calls.is_open(id); }

void Session::cancel(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done) {
  impl_->calls.cancel(ids, std::move(done), now());
  impl_->stir();
}

void Session::replay(const std::vector<Replay>& entries, Callback<std::vector<Verdict>> done) {
  impl_->calls.replay(entries, std::move(done), now());
  impl_->stir();
}

void Session::purge(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done) {
  impl_->calls.purge(ids, std::move(done), now());
  impl_->stir();
}

void Session::forget(const std::vector<std::string>& ids, Callback<std::vector<Verdict>> done) {
  impl_->calls.forget(ids, std::move(done), now());
  impl_->stir();
}

void Session::fetch(const std::string& id, std::uint64_t offset, std::uint64_t bytes,
                    Callback<ResultPart> done) {
  impl_->calls.fetch(id, offset, bytes, std::move(done), now());
  impl_->stir();
}

void Session::reprioritise(const std::vector<std::string>& ids, std::uint8_t priority,
                           Callback<std::vector<Verdict>> done) {
  impl_->calls.reprioritise(ids, priority, std::move(done), now());
  impl_->stir();
}

void Session::status(const std::vector<std::string>& ids, Callback<std::vector<TaskInfo>> done) {
  impl_->calls.status(ids, std::move(done), now());
  impl_->stir();
}

void Session::list(std::optional<Status> status, const std::string& after, std::size_t limit,
                   Callback<TaskPage> done) {
  impl_->calls.list(status, after, limit, std::move(done), now());
  impl_->stir();
}

void Session::nodes(bool measured, Callback<std::vector<NodeInfo>> done) {
  impl_->calls.nodes(measured, std::move(done), now());
  impl_->stir();
}

void Session::stats(Callback<Stats> done) {
  impl_->calls.stats(std::move(done), now());
  impl_->stir();
}

void Session::ping(Callback<std::uint64_t> done) {
  impl_->calls.ping(std::move(done), now());
  impl_->stir();
}

void Session::drain(const std::string& node_id, bool on, Callback<Done> done) {
  impl_->calls.drain(node_id, on, std::move(done), now());
  impl_->stir();
}

void Session::on_notice(std::function<void(const std::string&)> callback) {
  impl_->calls.on_notice(std::move(callback));
}

}  // namespace genai::client
