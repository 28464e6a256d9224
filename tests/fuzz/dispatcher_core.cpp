// The dispatcher's core on virtual time, with two brokers, a few clients, a store that may be full
// and restarts, all as the input says.
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "dispatcher/dispatcher.h"
#include "dispatcher/offer_changes.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/oracle.h"
#include "tests/unit/dispatcher/store/store_double.h"

namespace genai::fuzz {
namespace {

using namespace genai::dispatcher;
using test::Fault;

constexpr std::size_t kBrokers = 2;
constexpr std::size_t kMaxGiven = 8;

struct Given {
  std::size_t broker;
  SessionId session;
  AssignmentRef ref;
};

/// Limits so low that they are reached.
Config config(bool durable) {
  Config config;
  config.durable = durable;
  config.max_tasks = 6;
  config.max_queued_bytes = 2000;
  config.max_result_bytes = 200;
  config.max_failed_bytes = 300;
  config.max_history = 4;
  config.max_faults = config.max_losses = config.max_drains = 2;
  config.quotas["sdxl"] = {2, 2, 1, 0};
  config.quotas["*"] = {0.5, 3, 0, 500};
  return config;
}

class World {
 public:
  World(const std::uint8_t* data, std::size_t size)
      : in_(data, size), config_(config(in_.one_in(2))) {
    start();
  }

  void run() {
    while (!in_.empty()) {
      event();
      core_->check();
      if (!in_.one_in(4)) step();
    }
  }

 private:
  void start() {
    committer_ = std::make_unique<Committer>(
        Committer::Settings{.name = "double", .durable = config_.durable, .max_held_messages = 20},
        now_);
    running_.reset();
    store_.expire();
    lease_ = *store_.acquire("fuzz", 1);
    core_ = std::make_unique<Dispatcher>(config_, InstanceId{}, lease_.epoch,
                                         std::vector<std::string>(kBrokers, "ipc://broker"), now_);
    core_->read_debug_notes(true);
    for (std::optional<store::Cursor> next = store::Cursor{}; next;) {
      auto page = *store_.load(lease_, *next);
      next = page.next;
      core_->restore(std::move(page), now_);
    }
    core_->check();
  }

  std::string client() { return "c" + std::to_string(in_.below(3)); }

  void event() {
    switch (in_.below(12)) {
      case 0:
        return core_->handle(
            LinkFrame{in_.below(kBrokers), draw_.frame(Direction::kLinkToDispatcher)}, now_);
      case 1:
      case 2:
        return core_->handle(
            ClientFrame{client(), Identity::anyone(), draw_.frame(Direction::kFromClient)}, now_);
      case 3:
      case 4:
      case 5:
        return from_broker(in_.below(kBrokers));
      case 6:
        return in_.one_in(2) ? core_->handle(ClientGone{client()}, now_)
                             : core_->handle(ClientMalformed{client(), Identity::anyone()}, now_);
      case 7:
        return end_commit();
      case 8:
        if (config_.durable && in_.one_in(8)) start();
        return;
      case 9:
      case 10:
        return answer();
      default:
        return pass(in_.one_in(2) ? draw_.duration() : core_->next_deadline() - now_.mono);
    }
  }

  /// A message that fits what the broker said before.
  void from_broker(std::size_t broker) {
    Message message = draw_.message(Direction::kLinkToDispatcher);
    std::uint64_t& seq = seqs_[broker];
    if (auto* snapshot = std::get_if<msg::Snapshot>(&message)) {
      snapshot->broker = {};
      seq = snapshot->seq;
    } else if (auto* delta = std::get_if<msg::Delta>(&message)) {
      delta->broker = {};
      delta->seq = ++seq;
    } else if (auto* beat = std::get_if<msg::LinkHeartbeat>(&message)) {
      beat->instance = {};
      beat->seq = seq;
    }
    core_->handle(LinkFrame{broker, Blob(encode(message))}, now_);
  }

  /// Of a node, to an assignment that it was given.
  void answer() {
    if (given_.empty()) return;
    const Given& given = given_[in_.below(given_.size())];
    Message message;
    if (in_.one_in(2)) {
      message = msg::AssignAck{{{given.ref, ErrorCode::kOk, {}}}};
    } else {
      auto result = draw_.make<msg::Result::Entry>();
      result.ref = given.ref;
      message = msg::Result{{result}};
    }
    const msg::FromNodes parcels{{{given.session, Blob(encode(message))}}};
    core_->handle(LinkFrame{given.broker, Blob(encode(parcels))}, now_);
  }

  void pass(Duration time) {
    time = std::max(time, Duration{0});
    now_.mono += time;
    now_.wall += time;
  }

  void step() {
    core_->expire(now_);
    Effects effects = core_->take_events();
    send(effects.at_once);
    commit(std::move(effects.durable));
    core_->check();
    GENAI_CHECK(core_->next_deadline() > now_.mono);  // or the loop spins
  }

  void commit(Messages promises = {}) {
    offer_changes(*core_, *committer_, std::move(promises), now_);
    committer_->check();
    for (Committer::Event& event : committer_->take_events()) {
      if (auto* write = std::get_if<Committer::Write>(&event)) running_ = std::move(write->batch);
      if (std::get_if<Committer::Look>(&event)) running_.emplace();
      if (auto* release = std::get_if<Committer::Release>(&event)) send(release->messages);
    }
    GENAI_CHECK(committer_->next_deadline() > now_.mono);  // or the loop spins
  }
  void end_commit() {
    if (!running_) return;
    store::CommitReport report;
    report.entries = running_->size();
    store_.next_fault = in_.one_in(4) ? Fault::kShortWrite : Fault::kNone;
    report.result = store_.commit(lease_, *running_);
    if (!report.result) report.left = std::move(*running_);
    running_.reset();
    committer_->handle(std::move(report), now_);
    core_->handle(committer_->report());
    commit();
  }

  void send(const Messages& messages) {
    for (const auto& [peer, message] : messages.to_clients)
      check_sent(encode(message), Direction::kToClient);
    for (const auto& [broker, message] : messages.to_brokers) {
      const Message sent = check_sent(encode(message), Direction::kLinkToBroker);
      if (const auto* parcels = std::get_if<msg::ToNodes>(&sent))
        for (const msg::Parcel& parcel : parcels->parcels)
          learn(broker, parcel.session,
                check_sent(std::string(parcel.frame.view()), Direction::kToNode));
    }
  }
  void learn(std::size_t broker, const SessionId& session, const Message& to_node) {
    const auto* assign = std::get_if<msg::Assign>(&to_node);
    if (!assign) return;
    for (const msg::Assignment& entry : assign->entries) {
      draw_.know(entry.ref);
      given_.push_back({broker, session, entry.ref});
      if (given_.size() > kMaxGiven) given_.pop_front();
    }
  }

  Input in_;
  Draw draw_{in_};
  const Config config_;
  Now now_{from_ms(1'000'000), from_ms(1'700'000'000'000)};
  test::StoreDouble store_;
  std::unique_ptr<Dispatcher> core_;
  std::unique_ptr<Committer> committer_;
  std::optional<store::Batch> running_;  // an empty one: only a look
  store::Lease lease_;
  std::array<std::uint64_t, kBrokers> seqs_{};
  std::deque<Given> given_;  // the latest
};

}  // namespace
}  // namespace genai::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  genai::fuzz::World(data, size).run();
  return 0;
}
