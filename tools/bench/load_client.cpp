#include "tools/bench/load_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "protocol/codec.h"
#include "protocol/transport/system.h"

namespace genai::bench {
namespace {

Duration now() { return transport::read_clock().mono; }

double us(Duration d) { return static_cast<double>(d.count()); }

}  // namespace

void LoadReport::add(LoadReport other) {
  tasks += other.tasks;
  seconds = std::max(seconds, other.seconds);
  accepted_seconds = std::max(accepted_seconds, other.accepted_seconds);
  accepted.add(other.accepted);
  result.add(other.result);
  calibration.add(other.calibration);
}

LoadClient::LoadClient(transport::Context& context, const LoadOptions& options,
                       std::function<void()> check)
    : options_(options),
      payload_(std::string(options.payload_bytes, 'p')),
      spec_(make_spec({}, {})),
      run_(transport::new_task_id().str()),
      connection_(context, options.dispatcher, std::move(check)),
      window_(options.window, options.batch, options.tasks) {}

void LoadClient::submit(std::size_t count) {
  msg::Submit message{connection_.next_request(), msg::WatchLevel::kResult, {}};
  const std::size_t first = window_.submit(count, now());
  for (std::size_t i = first; i < first + count; ++i)
    message.tasks.push_back({*TaskId::parse(fmt::format("{}-{}", run_, i)), spec_, payload_});
  connection_.send(std::move(message));
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
    report_.accepted_seconds = us(at - begin_) / 1e6;
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
  connection_.send(std::move(ack));
}

LoadReport LoadClient::run() {
  begin_ = now();
  const Duration end = begin_ + Duration(static_cast<std::int64_t>(options_.seconds * 1e6));
  for (;;) {
    while (const std::size_t count = window_.room()) submit(count);
    if (window_.is_done()) break;
    const Message message = connection_.must_receive();
    if (const auto* accepted = std::get_if<msg::Accepted>(&message)) on_accepted(*accepted);
    if (const auto* deliver = std::get_if<msg::Deliver>(&message)) on_deliver(*deliver);
    if (now() >= end) window_.close();
  }
  report_.seconds = us(now() - begin_) / 1e6;
  return std::move(report_);
}

}  // namespace genai::bench
