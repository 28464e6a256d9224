#include "tools/bench/backlog.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "protocol/base/limits.h"
#include "protocol/transport/system.h"
#include "protocol/wire/codec.h"

namespace genai::bench {
namespace {

// Two, so that the dispatcher has the next one while the client reads about the last.
constexpr std::uint64_t kSubmitsOpen = 2;
constexpr std::size_t kEntryBytes = 128;  // an id and a spec, about

TaskSpec impossible() {
  TaskSpec spec;
  spec.needs.model = "on-no-node";
  // The row may take longer than tasks last by default, and must not see them end.
  spec.ttl_ms = limits::kMaxTtlMs;
  return make_spec(spec, {});
}

class Queueing {
 public:
  Queueing(Connection& connection, const Backlog& backlog)
      : connection_(connection),
        backlog_(backlog),
        batch_(std::clamp(limits::kBatchTargetBytes / (backlog.payload_bytes + kEntryBytes),
                          std::size_t{1}, limits::kMaxBatchEntries)),
        payload_(std::string(backlog.payload_bytes, 'p')) {}

  Queued run() {
    const Duration begin = transport::read_clock().mono;
    while (accepted_ < backlog_.tasks) {
      while (submitted_ < backlog_.tasks && submitted_ - accepted_ < kSubmitsOpen * batch_)
        submit();
      const ClientReply message = connection_.must_receive();
      if (const auto* accepted = std::get_if<msg::Accepted>(&message)) on_accepted(*accepted);
    }
    const Duration took = transport::read_clock().mono - begin;
    return {static_cast<double>(took.count()) / 1e6, bytes_};
  }

 private:
  void submit() {
    const std::uint64_t end = std::min(submitted_ + batch_, backlog_.tasks);
    msg::Submit message{connection_.next_request(), msg::WatchLevel::kNone, {}};
    for (; submitted_ < end; ++submitted_) {
      const TaskId id = *TaskId::parse(fmt::format("{}-{}", run_, submitted_));
      bytes_ += id.view().size() + payload_.size();
      message.tasks.push_back({id, spec_, payload_});
    }
    connection_.send(std::move(message));
  }

  void on_accepted(const msg::Accepted& message) {
    for (const auto& verdict : message.verdicts)
      if (verdict.code != ErrorCode::kOk)
        throw std::runtime_error(
            fmt::format("refused to queue: {} {}", name(verdict.code), verdict.detail));
    accepted_ += message.verdicts.size();
  }

  Connection& connection_;
  const Backlog backlog_;
  const std::size_t batch_;
  const Blob payload_;
  const TaskSpec spec_ = impossible();
  const std::string run_ = transport::new_task_id().str();
  std::uint64_t submitted_ = 0, accepted_ = 0, bytes_ = 0;
};

}  // namespace

Queued queue(Connection& connection, const Backlog& backlog) {
  return Queueing(connection, backlog).run();
}

}  // namespace genai::bench
