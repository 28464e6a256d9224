#include "tools/bench/load_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/transport/system.h"

namespace genai::bench {
namespace {

constexpr Duration kSilence = from_ms(30'000);
constexpr Duration kCheck = from_ms(100);
constexpr Duration kAskAgain = from_ms(200);
constexpr int kQueueMessages = 100'000;
constexpr int kLingerMs = 1000;  // the last DELIVER_ACK should arrive

Duration now() { return transport::read_clock().mono; }

double us(Duration d) { return static_cast<double>(d.count()); }

}  // namespace

void LoadReport::add(LoadReport other) {
  tasks += other.tasks;
  seconds = std::max(seconds, other.seconds);
  accepted.add(other.accepted);
  result.add(other.result);
  calibration.add(other.calibration);
}

LoadClient::LoadClient(transport::Context& context, const LoadOptions& options,
                       std::function<void()> check)
    : options_(options),
      check_(std::move(check)),
      payload_(std::string(options.payload_bytes, 'p')),
      spec_(make_spec({}, {})),
      run_(transport::new_task_id().str()),
      socket_(context, {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages, kLingerMs},
              options.dispatcher),
      window_(options.window, options.batch, options.tasks) {
  poll_.add(socket_);
}

/// What waits, or nothing after a short time.
std::optional<Message> LoadClient::receive() {
  if (const Duration at = now(); at >= check_at_) {
    check_();
    check_at_ = at + kCheck;
  }
  auto received = socket_.receive();
  if (!received) {
    poll_.wait(kCheck);
    received = socket_.receive();
  }
  if (!received) return std::nullopt;
  auto message = decode(received->frame, Direction::kToClient);
  if (!message) throw std::runtime_error("undecodable: " + message.error().detail);
  if (const auto* error = std::get_if<msg::ErrorReply>(&*message))
    throw std::runtime_error(fmt::format("{}: {}", name(error->code), error->detail));
  return std::move(*message);
}

Message LoadClient::must_receive() {
  const Duration give_up = now() + kSilence;
  for (;;) {
    if (auto message = receive()) return std::move(*message);
    if (now() >= give_up) throw std::runtime_error("nothing from the dispatcher for 30 s");
  }
}

template <class Query, class Reply>
Reply LoadClient::ask() {
  const Duration give_up = now() + kSilence;
  Duration ask_at{0};
  for (;;) {
    // Asks again: what is sent while the connection is being made is dropped.
    const Duration at = now();
    if (at >= give_up) throw std::runtime_error("no answer from the dispatcher for 30 s");
    if (at >= ask_at) {
      socket_.send(encode(Query{++request_}));
      ask_at = at + kAskAgain;
    }
    auto message = receive();
    if (!message) continue;
    if (auto* reply = std::get_if<Reply>(&*message); reply && reply->request == request_)
      return std::move(*reply);
  }
}

ValueMap LoadClient::stats() { return ask<msg::StatsQuery, msg::Stats>().stats; }

void LoadClient::wait_online(std::size_t count, const std::string& prefix) {
  const auto is_ours = [&](const ValueMap& node) {
    return get_string(node, "state") == "online" && get_string(node, "node_id").starts_with(prefix);
  };
  const Duration give_up = now() + kSilence;
  for (;;) {
    const auto nodes = ask<msg::NodesQuery, msg::NodeList>().nodes;
    if (static_cast<std::size_t>(std::ranges::count_if(nodes, is_ours)) >= count) return;
    if (now() >= give_up) throw std::runtime_error("the nodes did not come online within 30 s");
    poll_.wait(from_ms(20));
  }
}

void LoadClient::submit(std::size_t count) {
  msg::Submit message{++request_, msg::WatchLevel::kResult, {}};
  const std::size_t first = window_.submit(count, now());
  for (std::size_t i = first; i < first + count; ++i)
    message.tasks.push_back({*TaskId::parse(fmt::format("{}-{}", run_, i)), spec_, payload_});
  if (socket_.send(encode(message)) != transport::SendResult::kQueued)
    throw std::runtime_error("the dispatcher does not read, or the connection is lost");
}

void LoadClient::on_accepted(const msg::Accepted& message) {
  const Duration at = now();
  for (const auto& verdict : message.verdicts) {
    if (verdict.code != ErrorCode::kOk)
      throw std::runtime_error(fmt::format("refused: {} {}", name(verdict.code), verdict.detail));
    const auto number = number_of(verdict.task_id.str(), run_);
    const auto time = number ? window_.accepted(*number, at) : std::nullopt;
    if (!time) continue;
    report_.accepted.add(us(*time));
    report_.calibration.accepted(*number, verdict.estimate, at);
  }
}

void LoadClient::on_deliver(const msg::Deliver& message) {
  const Duration at = now();
  msg::DeliverAck ack;
  for (const auto& entry : message.entries) {
    if (entry.status != TaskStatus::kCompleted)
      throw std::runtime_error(
          fmt::format("a task ended {}: {}", name(entry.status), get_string(entry.info, "error")));
    ack.ids.push_back(entry.task_id);
    const auto number = number_of(entry.task_id.str(), run_);
    const auto time = number ? window_.delivered(*number, at) : std::nullopt;
    if (!time) continue;
    report_.result.add(us(*time));
    report_.calibration.delivered(*number, at);
    ++report_.tasks;
  }
  socket_.send(encode(ack));
}

LoadReport LoadClient::run() {
  const Duration begin = now();
  const Duration end = begin + Duration(static_cast<std::int64_t>(options_.seconds * 1e6));
  for (;;) {
    while (const std::size_t count = window_.room()) submit(count);
    if (window_.is_done()) break;
    const Message message = must_receive();
    if (const auto* accepted = std::get_if<msg::Accepted>(&message)) on_accepted(*accepted);
    if (const auto* deliver = std::get_if<msg::Deliver>(&message)) on_deliver(*deliver);
    if (now() >= end) window_.close();
  }
  report_.seconds = us(now() - begin) / 1e6;
  return std::move(report_);
}

}  // namespace genai::bench
