#include "tools/bench/raw_echo.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "protocol/transport/system.h"
#include "tools/bench/window.h"

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
      : load_(load),
        check_(check),
        socket_(context_, zmq::socket_type::dealer),
        window_(load.window, load.batch, load.tasks) {
    set_raw_limits(socket_);
    socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(kPoll.count()));
    socket_.connect(endpoint);
    // Until one has come back, no connection is sure to be there.
    send({0, 0}, sizeof(Head));
    receive();
  }

  LoadReport run() {
    LoadReport report;
    const Duration begin = now();
    const Duration end = begin + Duration(static_cast<std::int64_t>(load_.seconds * 1e6));
    for (;;) {
      while (const std::size_t count = window_.room())
        send({window_.submit(count, now()), count},
             std::max(sizeof(Head), count * load_.task_bytes));
      if (window_.is_done()) break;
      const Head head = receive();
      const Duration at = now();
      for (std::uint64_t i = head.first; i < head.first + head.count; ++i) {
        report.result.add(static_cast<double>(window_.delivered(i, at).value().count()));
        ++report.tasks;
      }
      if (at >= end) window_.close();
    }
    report.seconds = static_cast<double>((now() - begin).count()) / 1e6;
    return report;
  }

 private:
  void send(const Head& head, std::size_t bytes) {
    zmq::message_t message(bytes);
    std::memset(message.data(), 'p', bytes);
    std::memcpy(message.data(), &head, sizeof head);
    socket_.send(message, zmq::send_flags::none);
  }

  Head receive() {
    zmq::message_t message;
    const Duration give_up = now() + kSilence;
    for (;;) {
      if (const Duration at = now(); at >= check_at_) {
        check_();
        if (at >= give_up) throw std::runtime_error("nothing from the raw proxy for 30 s");
        check_at_ = at + from_ms(static_cast<std::uint64_t>(kPoll.count()));
      }
      if (!socket_.recv(message)) continue;
      Head head;
      std::memcpy(&head, message.data(), sizeof head);
      return head;
    }
  }

  const RawLoad load_;
  const std::function<void()>& check_;
  Duration check_at_{0};
  zmq::context_t context_;
  zmq::socket_t socket_;
  Window window_;
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
