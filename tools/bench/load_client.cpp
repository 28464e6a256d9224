#include "tools/bench/load_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "protocol/transport/system.h"
#include "protocol/wire/codec.h"

namespace genai::bench {
namespace {

constexpr Duration kSilence = from_ms(30'000);

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
      connection_(context, options.dispatcher, std::move(check)) {}

void LoadClient::submit(std::size_t count) {
  msg::Submit message{connection_.next_request(), msg::WatchLevel::kResult, {}};
  const std::size_t first = pacer_->submit(count, now());
  for (std::size_t i = first; i < first + count; ++i)
    message.tasks.push_back({*TaskId::parse(fmt::format("{}-{}", run_, i)), spec_, payload_});
  connection_.send(std::move(message));
}

void LoadClient::on_accepted(const msg::Accepted& message) {
  const Duration at = now();
  for (const auto& verdict : message.verdicts) {
    if (verdict.code != ErrorCode::kOk)
      throw std::runtime_error(fmt::format("refused: {} {}", name(verdict.code), verdict.detail));
    const auto number = number_of(verdict.task_id.view(), run_);
    const auto time = number ? pacer_->accepted(*number, at) : std::nullopt;
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
    const auto number = number_of(entry.task_id.view(), run_);
    const auto time = number ? pacer_->delivered(*number, at) : std::nullopt;
    if (!time) continue;
    report_.result.add(us(*time));
    report_.calibration.delivered(*number, at);
    ++report_.tasks;
  }
  connection_.send(std::move(ack));
}

void LoadClient::on_message(const ClientReply& message) {
  if (const auto* accepted = std::get_if<msg::Accepted>(&message)) on_accepted(*accepted);
  if (const auto* deliver = std::get_if<msg::Deliver>(&message)) on_deliver(*deliver);
}

LoadReport LoadClient::run() {
  begin_ = now();
  pacer_ = options_.pace.start(begin_);
  const Duration end = begin_ + options_.pace.length();
  for (Duration heard = begin_;;) {
    // Of one moment: what becomes due meanwhile must not keep it from reading.
    const Duration begin = now();
    while (const std::size_t count = pacer_->room(begin)) submit(count);
    if (pacer_->is_done()) break;
    const Duration due = pacer_->next_due();
    const auto message = connection_.receive(due == kNever ? kNever : due - now());
    const Duration at = now();
    if (message) on_message(*message);
    if (message || pacer_->open() == 0) heard = at;
    if (at - heard >= kSilence)
      throw Silence(fmt::format("nothing from the dispatcher for 30 s, {} tasks open, {} delivered",
                                pacer_->open(), report_.tasks));
    if (at >= end) pacer_->close();
  }
  report_.seconds = us(now() - begin_) / 1e6;
  return std::move(report_);
}

}  // namespace genai::bench
