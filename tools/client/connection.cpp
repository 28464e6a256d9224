#include "tools/client/connection.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/message.h"
#include "protocol/transport/system.h"

namespace genai::client {
namespace {

constexpr int kQueueMessages = 10'000;
constexpr int kLingerMs = 1000;
// How soon a frame that the socket did not take (not connected yet) is tried again.
constexpr Duration kUnsentRetry = from_ms(20);

int checked(int descriptor, const char* what) {
  if (descriptor < 0)
    throw ClientError(Errc::kSystem, std::string(what) + ": " + std::strerror(errno));
  return descriptor;
}

std::string checked_endpoint(const Config& config) {
  if (const auto problem = transport::endpoint_problem(config.endpoint))
    throw ClientError(Errc::kBadField, config.endpoint + ": " + *problem);
  return config.endpoint;
}

std::optional<transport::CurveClient> curve_of(const Config& config) {
  auto curve = transport::curve_client(config.key_file, config.server_key);
  if (!curve) throw ClientError(static_cast<Errc>(curve.error().code), curve.error().detail);
  return std::move(*curve);
}

void add(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

}  // namespace

Connection::Connection(const Config& config)
    : endpoint_(checked_endpoint(config)),
      curve_(curve_of(config)),
      socket_(connect()),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      timer_(checked(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd")) {
  add(epoll_.get(), event_.fd());
  add(epoll_.get(), timer_.get());
  add(epoll_.get(), socket_.ref().get(zmq::sockopt::fd));
}

transport::Dealer Connection::connect() {
  return transport::Dealer(context_,
                           {limits::kMaxFrameBytes, kQueueMessages, kQueueMessages, kLingerMs},
                           endpoint_, curve_);
}

void Connection::wake() {
  if (!std::exchange(is_awake_, true)) event_.wake();
}

void Connection::rest() {
  if (std::exchange(is_awake_, false)) event_.take();
}

void Connection::renew() {
  unsent_.clear();
  // Before it is closed: afterwards its number may be another's.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket_.ref().get(zmq::sockopt::fd), nullptr);
  transport::renew(socket_, [&] { return connect(); });
  add(epoll_.get(), socket_.ref().get(zmq::sockopt::fd));
}

void Connection::send(std::string frame) {
  unsent_.push_back(transport::message_of(std::move(frame)));
}

void Connection::flush() {
  while (!unsent_.empty() && socket_.send(unsent_.front()) == transport::SendResult::kQueued)
    unsent_.pop_front();
}

void Connection::set_timer(Duration until) {
  if (std::exchange(timer_at_, until) == until) return;
  itimerspec spec{};  // zero: never
  if (until != kNever) {
    spec.it_value.tv_sec = until.count() / 1'000'000;
    spec.it_value.tv_nsec = until.count() % 1'000'000 * 1000;
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Connection::settle(Duration until) {
  flush();
  const Duration now = transport::read_clock().mono;
  if (!unsent_.empty()) until = std::min(until, now + kUnsentRetry);
  // ZeroMQ's descriptor tells of a change once, and any call may have taken that notice.
  const bool has_input = socket_.ref().get(zmq::sockopt::events) & ZMQ_POLLIN;
  // Whoever waits for edges needs a new one.
  rest();
  if (has_more_ || has_input || until <= now)
    wake();
  else
    set_timer(until);
}

}  // namespace genai::client
