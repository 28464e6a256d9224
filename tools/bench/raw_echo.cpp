#include "tools/bench/raw_echo.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

#include "protocol/transport/system.h"
#include "tools/bench/wait.h"

namespace genai::bench {
namespace {

constexpr int kQueueMessages = 100'000;
constexpr int kDrainMessages = 64;  // of one connection, before the others have their turn
constexpr std::chrono::milliseconds kPoll{100};
constexpr Duration kSilence = from_ms(30'000);

Duration now() { return transport::read_clock().mono; }

/// Sends everything that waits back to where it came from; envelopes are frames like others.
void echo(zmq::socket_t& socket) {
  zmq::message_t frame;
  for (int i = 0; i < kDrainMessages; ++i) {
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) return;
    for (bool more = true; more;) {
      more = frame.more();
      socket.send(frame, more ? zmq::send_flags::sndmore : zmq::send_flags::none);
      if (more && !socket.recv(frame)) return;
    }
  }
}

/// The numbers of the tasks in a message stand at its begin.
struct Head {
  std::uint64_t first, count;
};

class Client {
 public:
  Client(const std::string& endpoint, const RawLoad& load, const std::function<void()>& check)
      : load_(load), check_(check), socket_(context_, zmq::socket_type::dealer) {
    set_raw_limits(socket_);
    socket_.connect(endpoint);
    // Until one has come back, no connection is sure to be there.
    send({0, 0}, sizeof(Head));
    for (const Duration begin = now(); !receive(kNever);) must_hear(begin, now());
  }

  LoadReport run() {
    const Duration begin = now();
    const Duration end = begin + load_.pace.length();
    pacer_ = load_.pace.start(begin);
    for (Duration heard = begin;;) {
      submit();
      if (pacer_->is_done()) break;
      const Duration due = pacer_->next_due();
      const auto head = receive(due == kNever ? kNever : due - now());
      const Duration at = now();
      if (head) on_return(*head, at);
      if (head || pacer_->open() == 0) heard = at;
      must_hear(heard, at);
      if (at >= end) pacer_->close();
    }
    report_.seconds = static_cast<double>((now() - begin).count()) / 1e6;
    return std::move(report_);
  }

 private:
  static void must_hear(Duration last, Duration at) {
    if (at - last >= kSilence) throw std::runtime_error("nothing from the raw proxy for 30 s");
  }

  void submit() {
    // Of one moment: what becomes due meanwhile must not keep it from reading.
    const Duration begin = now();
    while (const std::size_t count = pacer_->room(begin))
      send({pacer_->submit(count, now()), count}, std::max(sizeof(Head), count * load_.task_bytes));
  }

  void on_return(const Head& head, Duration at) {
    for (std::uint64_t i = head.first; i < head.first + head.count; ++i) {
      report_.result.add(static_cast<double>(pacer_->delivered(i, at).value().count()));
      ++report_.tasks;
    }
  }

  void send(const Head& head, std::size_t bytes) {
    zmq::message_t message(bytes);
    std::memset(message.data(), 'p', bytes);
    std::memcpy(message.data(), &head, sizeof head);
    socket_.send(message, zmq::send_flags::none);
  }

  /// What waits, or nothing once `timeout` or a short time has passed.
  std::optional<Head> receive(Duration timeout) {
    if (const Duration at = now(); at >= check_at_) {
      check_();
      check_at_ = at + kPoll;
    }
    zmq::message_t message;
    if (!socket_.recv(message, zmq::recv_flags::dontwait)) {
      wait_readable(socket_, std::min(timeout, Duration(kPoll)));
      if (!socket_.recv(message, zmq::recv_flags::dontwait)) return std::nullopt;
    }
    Head head;
    std::memcpy(&head, message.data(), sizeof head);
    return head;
  }

  const RawLoad load_;
  const std::function<void()>& check_;
  Duration check_at_{0};
  zmq::context_t context_;
  zmq::socket_t socket_;
  std::unique_ptr<Pacer> pacer_;  // while it runs
  LoadReport report_;
};

}  // namespace

void set_raw_limits(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::sndhwm, kQueueMessages);
  socket.set(zmq::sockopt::rcvhwm, kQueueMessages);
  socket.set(zmq::sockopt::linger, 0);
}

RawWorkers::RawWorkers(const std::string& endpoint, unsigned connections) {
  for (unsigned i = 0; i < connections; ++i) {
    set_raw_limits(sockets_.emplace_back(context_, zmq::socket_type::dealer));
    sockets_.back().connect(endpoint);
  }
  thread_ = std::thread([this] { run(); });
}

RawWorkers::~RawWorkers() {
  stopping_ = true;
  thread_.join();
}

void RawWorkers::run() {
  std::vector<zmq::pollitem_t> items;
  for (auto& socket : sockets_) items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  while (!stopping_) {
    zmq::poll(items, kPoll);
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].revents & ZMQ_POLLIN) echo(sockets_[i]);
  }
}

LoadReport run_raw_load(const std::string& endpoint, const RawLoad& load,
                        const std::function<void()>& check) {
  return Client(endpoint, load, check).run();
}

}  // namespace genai::bench
