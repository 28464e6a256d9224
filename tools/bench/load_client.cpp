#include "tools/bench/load_client.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/transport/system.h"

namespace genai::bench {
namespace {

constexpr Duration kSilence = from_ms(30'000);

Duration now() { return transport::read_clock().mono; }

double us(Duration d) { return static_cast<double>(d.count()); }

/// The number behind the last '-' of an id that submit() made.
std::size_t number_of(const TaskId& id) {
  const std::string& text = id.str();
  std::size_t number = 0;
  std::from_chars(text.data() + text.rfind('-') + 1, text.data() + text.size(), number);
  return number;
}

}  // namespace

LoadClient::LoadClient(transport::Context& context, const LoadOptions& options)
    : options_(options),
      payload_(std::string(options.payload_bytes, 'p')),
      spec_(make_spec({}, {})),
      run_(transport::new_task_id().str()),
      socket_(context, {limits::kMaxFrameBytes, 100'000, 100'000}, options.dispatcher) {
  poll_.add(socket_);
}

Message LoadClient::receive() {
  const Duration give_up = now() + kSilence;
  for (;;) {
    if (auto received = socket_.receive()) {
      auto message = decode(received->frame, Direction::kToClient);
      if (!message) throw std::runtime_error("undecodable: " + message.error().detail);
      if (const auto* error = std::get_if<msg::ErrorReply>(&*message))
        throw std::runtime_error(fmt::format("{}: {}", name(error->code), error->detail));
      return std::move(*message);
    }
    if (now() >= give_up) throw std::runtime_error("nothing from the dispatcher for 30 s");
    poll_.wait(from_ms(100));
  }
}

ValueMap LoadClient::stats() {
  // The first requests may be dropped while the connection is being made.
  socket_.send(encode(msg::StatsQuery{++request_}));
  for (;;) {
    poll_.wait(from_ms(200));
    auto received = socket_.receive();
    if (!received) {
      socket_.send(encode(msg::StatsQuery{++request_}));
      continue;
    }
    auto message = decode(received->frame, Direction::kToClient);
    if (!message) throw std::runtime_error("undecodable: " + message.error().detail);
    if (auto* stats = std::get_if<msg::Stats>(&*message); stats && stats->request == request_)
      return std::move(stats->stats);
  }
}

void LoadClient::wait_online(std::size_t providers) {
  const Duration give_up = now() + kSilence;
  while (get_uint(stats(), "providers") < providers) {
    if (now() >= give_up) throw std::runtime_error("the nodes did not come online within 30 s");
    poll_.wait(from_ms(20));
  }
}

void LoadClient::submit(std::size_t count) {
  msg::Submit message{++request_, msg::WatchLevel::kResult, {}};
  const Duration at = now();
  for (std::size_t i = 0; i < count; ++i) {
    message.tasks.push_back(
        {*TaskId::parse(fmt::format("{}-{}", run_, submitted_at_.size())), spec_, payload_});
    submitted_at_.push_back(at);
    delivered_.push_back(false);
  }
  socket_.send(encode(message));
}

std::size_t LoadClient::on_deliver(const msg::Deliver& message) {
  const Duration at = now();
  msg::DeliverAck ack;
  std::size_t fresh = 0;
  for (const auto& entry : message.entries) {
    if (entry.status != TaskStatus::kCompleted)
      throw std::runtime_error(
          fmt::format("a task ended {}: {}", name(entry.status), get_string(entry.info, "error")));
    ack.ids.push_back(entry.task_id);
    const std::size_t number = number_of(entry.task_id);
    if (delivered_.at(number)) continue;
    delivered_[number] = true;
    ++fresh;
    report_.result.add(us(at - submitted_at_[number]));
  }
  socket_.send(encode(ack));
  return fresh;
}

LoadReport LoadClient::run() {
  report_ = {};
  submitted_at_.clear();
  delivered_.clear();
  const Duration begin = now();
  const Duration end = begin + Duration(static_cast<std::int64_t>(options_.seconds * 1e6));
  std::uint64_t open = 0;
  bool more = true;
  while (more || open > 0) {
    more = more && submitted_at_.size() < options_.tasks && now() < end;
    while (more && open < options_.window) {
      const std::size_t count =
          std::min<std::size_t>({options_.batch, options_.window - open,
                                 static_cast<std::size_t>(options_.tasks - submitted_at_.size())});
      if (count == 0) break;
      submit(count);
      open += count;
    }
    if (open == 0) continue;
    const Message message = receive();
    if (const auto* accepted = std::get_if<msg::Accepted>(&message)) {
      const Duration at = now();
      for (const auto& verdict : accepted->verdicts) {
        if (verdict.code != ErrorCode::kOk)
          throw std::runtime_error(
              fmt::format("refused: {} {}", name(verdict.code), verdict.detail));
        report_.accepted.add(us(at - submitted_at_.at(number_of(verdict.task_id))));
      }
    }
    if (const auto* deliver = std::get_if<msg::Deliver>(&message)) {
      const std::size_t done = on_deliver(*deliver);
      open -= done;
      report_.tasks += done;
    }
  }
  report_.seconds = us(now() - begin) / 1e6;
  return std::move(report_);
}

}  // namespace genai::bench
