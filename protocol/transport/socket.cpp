#include "protocol/transport/socket.h"

#include <cstdlib>
#include <memory>

#include "protocol/base/limits.h"
#include "protocol/transport/family.h"
#include "protocol/transport/ipc_lock.h"
#include "protocol/transport/message.h"
#include "protocol/transport/system.h"

namespace genai::transport {
namespace {

constexpr int kReconnectMinMs = 50;
constexpr int kReconnectMaxMs = 1000;

// A slow net below the application's heartbeats, for half-open connections.
constexpr int kTransportHeartbeatMs = 30'000;

// Not in cppzmq 4.9: without a domain that is enforced, libzmq lets everybody in when the handler
// is not there.
constexpr int kZapEnforceDomain = 93;

/// Whether it has the form of those that libzmq makes: a zero byte and 32 bits.
bool is_automatic(std::string_view routing_id) {
  return routing_id.size() == 5 && routing_id.front() == '\0';
}

/// Of the payload's frame: a ROUTER loses that of the frame before it (libzmq issue 4317).
std::string key_of(zmq::message_t& payload) {
  const char* key = zmq_msg_gets(payload.handle(), "User-Id");
  return key ? key : "";
}

Blob take_blob(zmq::message_t&& message) {
  auto owner = std::make_shared<zmq::message_t>(std::move(message));
  const std::string_view view = owner->to_string_view();
  return Blob(std::move(owner), view);
}

// Only for a bracketed host: otherwise IPv4 endpoints would be reported in their IPv6 form.
void choose_family(zmq::socket_t& socket, const std::string& endpoint) {
  socket.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos ? 1 : 0);
}

}  // namespace

Context::Context(int io_threads) : context_(io_threads) {
  unsigned seed = 0;
  fill_random(&seed, sizeof seed);
  std::srand(seed);
  context_.set(zmq::ctxopt::max_sockets, limits::kMaxZmqSockets);
  context_.set(zmq::ctxopt::blocky, 0);
}

Socket::Socket(Context& context, zmq::socket_type type, const SocketLimits& limits)
    : socket_(context.zmq(), type), is_router_(type == zmq::socket_type::router) {
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits.max_frame_bytes));
  socket_.set(zmq::sockopt::sndhwm, limits.send_queue_messages);
  socket_.set(zmq::sockopt::rcvhwm, limits.receive_queue_messages);
  socket_.set(zmq::sockopt::linger, limits.linger_ms);
  socket_.set(zmq::sockopt::handshake_ivl, limits::kHandshakeIvlMs);
  socket_.set(zmq::sockopt::backlog, limits::kListenBacklog);
  socket_.set(zmq::sockopt::heartbeat_ivl, kTransportHeartbeatMs);
}

std::optional<Received> Socket::receive() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
  Received received;
  if (is_router_) {
    received.peer = part.to_string();
    if (!part.more()) return Received{received.peer, {}, false};
    if (!socket_.recv(part, zmq::recv_flags::dontwait)) return Received{received.peer, {}, false};
  }
  if (asks_for_keys_) received.key = key_of(part);
  received.well_formed = !part.more() && (!is_router_ || is_automatic(received.peer));
  if (received.well_formed) {
    received.frame = take_blob(std::move(part));
    return received;
  }
  while (part.more())
    if (!socket_.recv(part, zmq::recv_flags::dontwait)) break;
  return received;
}

Router::Router(Context& context, const SocketLimits& limits, const std::optional<KeyPair>& own)
    : Socket(context, zmq::socket_type::router, limits),
      context_(&context),
      unsent_(limits.max_unsent_bytes, limits::kMaxUnsentBytes) {
  socket_.set(zmq::sockopt::router_mandatory, 1);
  if (!own) return;
  asks_for_keys_ = true;
  socket_.set(zmq::sockopt::curve_server, 1);
  socket_.set(zmq::sockopt::curve_secretkey, own->secret_key);
  socket_.set(zmq::sockopt::zap_domain, kZapDomain);
  const int yes = 1;
  if (zmq_setsockopt(socket_.handle(), kZapEnforceDomain, &yes, sizeof yes) != 0)
    throw zmq::error_t();
}

Expected<std::string> Router::bind(const std::string& endpoint) {
  auto lock = lock_ipc_path(endpoint);
  if (!lock) return fail(lock.error().code, "cannot bind " + endpoint + ": " + lock.error().detail);
  context_->keep(std::move(*lock));
  try {
    choose_family(socket_, endpoint);
    socket_.bind(endpoint);
    return socket_.get(zmq::sockopt::last_endpoint);
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kMalformed, "cannot bind " + endpoint + ": " + error.what());
  }
}

SendResult Router::send(std::string_view peer, std::string frame) {
  if (!unsent_.has_room(peer, frame.size())) return SendResult::kFull;
  try {
    zmq::message_t id(peer.data(), peer.size());
    constexpr auto kFlags = zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    if (!socket_.send(id, kFlags)) return SendResult::kFull;
    auto message = unsent_.message(peer, std::move(frame));
    return socket_.send(message, zmq::send_flags::dontwait) ? SendResult::kQueued
                                                            : SendResult::kFull;
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) throw;
    return SendResult::kGone;
  }
}

Dealer::Dealer(Context& context, const SocketLimits& limits, const std::string& endpoint,
               const std::optional<CurveClient>& curve)
    : Socket(context, zmq::socket_type::dealer, limits) {
  socket_.set(zmq::sockopt::immediate, 1);
  socket_.set(zmq::sockopt::reconnect_ivl, kReconnectMinMs);
  socket_.set(zmq::sockopt::reconnect_ivl_max, kReconnectMaxMs);
  if (curve) {
    socket_.set(zmq::sockopt::curve_serverkey, curve->server_key);
    socket_.set(zmq::sockopt::curve_publickey, curve->own.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, curve->own.secret_key);
  }
  socket_.set(zmq::sockopt::ipv6, needs_ipv6(endpoint) ? 1 : 0);
  socket_.connect(endpoint);
}

SendResult Dealer::send(std::string frame) {
  auto message = message_of(std::move(frame));
  return send(message);
}

SendResult Dealer::send(zmq::message_t& frame) {
  return socket_.send(frame, zmq::send_flags::dontwait) ? SendResult::kQueued : SendResult::kFull;
}

bool renew(Dealer& dealer, const std::function<Dealer()>& make) {
  try {
    dealer = make();
    return true;
  } catch (const zmq::error_t& error) {
    if (error.num() != EMFILE && error.num() != ENFILE) throw;
    return false;
  }
}

void PollSet::wait(Duration timeout) {
  long milliseconds = -1;
  if (timeout != kNever)
    milliseconds = timeout.count() <= 0 ? 0 : static_cast<long>((timeout.count() + 999) / 1000);
  try {
    zmq::poll(items_, std::chrono::milliseconds(milliseconds));
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
    for (auto& item : items_) item.revents = 0;
  }
}

}  // namespace genai::transport
