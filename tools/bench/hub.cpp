#include "tools/bench/hub.h"

#include <charconv>
#include <memory>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/transport/message.h"

namespace genai::bench {
namespace {

constexpr int kQueueMessages = 100'000;
constexpr int kLingerMs = 1000;  // a last word should arrive

std::string name_of(std::size_t connection) { return "c" + std::to_string(connection); }

std::size_t number_of(const zmq::message_t& name) {
  const std::string_view text = name.to_string_view();
  std::size_t number = 0;
  std::from_chars(text.data() + 1, text.data() + text.size(), number);
  return number;
}

}  // namespace

Hub::Hub(const std::string& endpoint, std::size_t connections)
    : socket_(context_, zmq::socket_type::router) {
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits::kMaxFrameBytes));
  socket_.set(zmq::sockopt::sndhwm, kQueueMessages);
  socket_.set(zmq::sockopt::rcvhwm, kQueueMessages);
  socket_.set(zmq::sockopt::linger, kLingerMs);
  for (std::size_t i = 0; i < connections; ++i) {
    socket_.set(zmq::sockopt::connect_routing_id, name_of(i));
    socket_.connect(endpoint);
  }
}

std::optional<Hub::Arrival> Hub::receive() {
  zmq::message_t name;
  if (!socket_.recv(name, zmq::recv_flags::dontwait)) return std::nullopt;
  auto frame = std::make_shared<zmq::message_t>();
  if (!socket_.recv(*frame, zmq::recv_flags::dontwait)) return std::nullopt;
  const std::string_view view = frame->to_string_view();
  return Arrival{number_of(name), Blob(std::move(frame), view)};
}

void Hub::send(std::size_t connection, std::string frame) {
  socket_.send(zmq::buffer(name_of(connection)),
               zmq::send_flags::sndmore | zmq::send_flags::dontwait);
  auto message = transport::message_of(std::move(frame));
  socket_.send(message, zmq::send_flags::dontwait);
}

void Hub::wait(std::chrono::milliseconds timeout) {
  zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
  zmq::poll(&item, 1, timeout);
}

}  // namespace genai::bench
