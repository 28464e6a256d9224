#include "protocol/security/authenticator.h"

#include <zmq.h>

#include <array>
#include <vector>
#include <zmq.hpp>

namespace genai::transport {
namespace {

constexpr char kHandlerEndpoint[] = "inproc://zeromq.zap.01";
constexpr char kControlEndpoint[] = "inproc://genai.authenticator";
constexpr std::int64_t kMaxRequestFrameBytes = 1024;
constexpr std::size_t kKeyBytes = 32;

using Frames = std::vector<std::string>;

Frames receive(zmq::socket_t& socket) {
  Frames frames;
  zmq::message_t part;
  do {
    if (!socket.recv(part, zmq::recv_flags::none)) return {};
    frames.push_back(part.to_string());
  } while (part.more());
  return frames;
}

void send(zmq::socket_t& socket, const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i)
    socket.send(zmq::buffer(frames[i]),
                i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

/// The key in Z85 of a request that may be let in at all, or empty.
std::string key_of(const Frames& request) {
  // version, request id, domain, address, routing id, mechanism, key
  if (request.size() != 7 || request[0] != "1.0" || request[2] != kZapDomain ||
      request[5] != "CURVE" || request[6].size() != kKeyBytes)
    return {};
  std::array<char, 41> text{};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(request[6].data());
  return zmq_z85_encode(text.data(), bytes, kKeyBytes) ? text.data() : std::string();
}

Frames answer(const Frames& request, const std::string& key, bool allowed) {
  const std::string id = request.size() > 1 ? request[1] : std::string();
  if (allowed) return {"1.0", id, "200", "OK", key, ""};
  return {"1.0", id, "400", "this key is not authorized", "", ""};
}

}  // namespace

Authenticator::Authenticator(Context& context, KeyRing ring)
    : ring_(std::make_shared<const KeyRing>(std::move(ring))),
      control_(context.zmq(), zmq::socket_type::pair) {
  zmq::socket_t handler(context.zmq(), zmq::socket_type::rep);
  handler.set(zmq::sockopt::linger, 0);
  handler.set(zmq::sockopt::maxmsgsize, kMaxRequestFrameBytes);
  handler.bind(kHandlerEndpoint);
  control_.set(zmq::sockopt::linger, 0);
  control_.bind(kControlEndpoint);
  zmq::socket_t other_end(context.zmq(), zmq::socket_type::pair);
  other_end.set(zmq::sockopt::linger, 0);
  other_end.connect(kControlEndpoint);
  thread_ = std::thread(&Authenticator::serve, this, std::move(handler), std::move(other_end));
}

Authenticator::~Authenticator() {
  control_.send(zmq::message_t(), zmq::send_flags::dontwait);
  thread_.join();
}

std::shared_ptr<const KeyRing> Authenticator::ring() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

void Authenticator::replace(KeyRing ring) {
  auto next = std::make_shared<const KeyRing>(std::move(ring));
  const std::lock_guard lock(mutex_);
  ring_ = std::move(next);
}

void Authenticator::serve(zmq::socket_t handler, zmq::socket_t control) {
  std::array<zmq::pollitem_t, 2> items{
      {{handler.handle(), 0, ZMQ_POLLIN, 0}, {control.handle(), 0, ZMQ_POLLIN, 0}}};
  for (;;) {
    try {
      zmq::poll(items.data(), items.size(), std::chrono::milliseconds(-1));
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      throw;
    }
    if (items[1].revents & ZMQ_POLLIN) return;
    if (!(items[0].revents & ZMQ_POLLIN)) continue;
    const Frames request = receive(handler);
    const std::string key = key_of(request);
    send(handler, answer(request, key, !key.empty() && ring()->contains(key)));
  }
}

}  // namespace genai::transport
