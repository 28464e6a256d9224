// Encrypted sockets over loopback: who gets in, and as whom.
#include <poll.h>

#include <catch2/catch.hpp>
#include <zmq.hpp>

#include "protocol/security/guard.h"
#include "protocol/security/options.h"
#include "protocol/transport/endpoint.h"
#include "tests/unit/temp_folder.h"

using namespace genai;
using namespace genai::transport;
using genai::test::TempFolder;

namespace {

constexpr SocketLimits kLimits{1 << 20, 100, 100};
// How long we wait for what must come, and for what must not.
constexpr Duration kPatience = from_ms(10'000);
constexpr Duration kMoment = from_ms(300);

std::optional<Received> receive_within(Socket& socket, Duration patience) {
  PollSet poll;
  poll.add(socket);
  poll.wait(patience);
  return socket.receive();
}

/// Sends until the transport takes it: a DEALER queues only while it is connected.
bool send_within(Dealer& dealer, const std::string& frame, Duration patience) {
  zmq::pollitem_t item{dealer.ref().handle(), 0, ZMQ_POLLOUT, 0};
  zmq::poll(&item, 1, std::chrono::duration_cast<std::chrono::milliseconds>(patience));
  return dealer.send(frame) == SendResult::kQueued;
}

struct Server {
  explicit Server(std::vector<Identity> allowed = {}) {
    for (const Identity& who : allowed) REQUIRE(authorize(folder.path, who));
    auto ring = allowed.empty() ? KeyRing() : *KeyRing::read(folder.path);
    authenticator.emplace(context, std::move(ring));
    router.emplace(context, kLimits, own);
    endpoint = *router->bind("tcp://127.0.0.1:*");
  }

  TempFolder folder;
  KeyPair own = make_key_pair();
  Context context;
  std::optional<Authenticator> authenticator;
  std::optional<Router> router;
  std::string endpoint;
};

Identity node(const KeyPair& keys) {
  return {.kind = Identity::Kind::kNode, .key = keys.public_key, .node = *NodeId::parse("n")};
}

}  // namespace

TEST_CASE("an authorized key gets in, and is known with each frame") {
  const KeyPair a = make_key_pair(), b = make_key_pair();
  Server server({node(a), node(b)});
  Dealer first(server.context, kLimits, server.endpoint, CurveClient{a, server.own.public_key});
  Dealer second(server.context, kLimits, server.endpoint, CurveClient{b, server.own.public_key});
  REQUIRE(send_within(first, "from a", kPatience));
  REQUIRE(send_within(second, "from b", kPatience));
  for (int i = 0; i < 2; ++i) {
    const auto received = receive_within(*server.router, kPatience);
    REQUIRE(received);
    CHECK(received->key == (received->frame.view() == "from a" ? a : b).public_key);
    CHECK(server.router->send(received->peer, "welcome") == SendResult::kQueued);
  }
  CHECK(receive_within(first, kPatience)->frame.view() == "welcome");
  CHECK(receive_within(second, kPatience)->frame.view() == "welcome");
  // Many at once: libzmq takes several off a connection at a time.
  for (int i = 0; i < 50; ++i) REQUIRE(first.send("more") == SendResult::kQueued);
  for (int i = 0; i < 50; ++i)
    CHECK(receive_within(*server.router, kPatience)->key == a.public_key);
}

TEST_CASE("nobody else gets in") {
  const KeyPair known = make_key_pair();
  Server server({node(known)});
  std::optional<CurveClient> curve;
  SECTION("a key that is not authorized") {
    curve = CurveClient{make_key_pair(), server.own.public_key};
  }
  SECTION("a client that expects another server") {
    curve = CurveClient{known, make_key_pair().public_key};
  }
  SECTION("a public key without its secret") {
    curve = CurveClient{{known.public_key, make_key_pair().secret_key}, server.own.public_key};
  }
  SECTION("no key at all") {}
  Dealer dealer(server.context, kLimits, server.endpoint, curve);
  send_within(dealer, "let me in", kMoment);
  CHECK(!receive_within(*server.router, kMoment));
  // While somebody who may is let in as ever.
  Dealer friendly(server.context, kLimits, server.endpoint,
                  CurveClient{known, server.own.public_key});
  REQUIRE(send_within(friendly, "hello", kPatience));
  CHECK(receive_within(*server.router, kPatience)->frame.view() == "hello");
}

TEST_CASE("plain authentication is refused too") {
  Server server;
  zmq::socket_t dealer(server.context.zmq(), zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::plain_username, "admin");
  dealer.set(zmq::sockopt::plain_password, "admin");
  dealer.connect(server.endpoint);
  dealer.send(zmq::str_buffer("let me in"), zmq::send_flags::dontwait);
  CHECK(!receive_within(*server.router, kMoment));
}

TEST_CASE("without a handler nobody gets in") {
  Context context;
  const KeyPair own = make_key_pair();
  Router router(context, kLimits, own);
  const std::string endpoint = *router.bind("tcp://127.0.0.1:*");
  Dealer dealer(context, kLimits, endpoint, CurveClient{make_key_pair(), own.public_key});
  send_within(dealer, "let me in", kMoment);
  CHECK(!receive_within(router, kMoment));
}

TEST_CASE("the handler answers what is none of its business with a refusal") {
  Context context;
  Authenticator authenticator(context, {});
  const auto status = [&](std::vector<std::string> frames) {
    zmq::socket_t asker(context.zmq(), zmq::socket_type::req);
    asker.set(zmq::sockopt::linger, 0);
    asker.connect("inproc://zeromq.zap.01");
    for (std::size_t i = 0; i < frames.size(); ++i)
      asker.send(zmq::buffer(frames[i]),
                 i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    std::vector<std::string> reply;
    zmq::message_t part;
    do {
      REQUIRE(asker.recv(part));
      reply.push_back(part.to_string());
    } while (part.more());
    REQUIRE(reply.size() == 6);
    CHECK(reply[0] == "1.0");
    CHECK(reply[4].empty());
    return reply[2];
  };
  const std::string key(32, 'k');
  CHECK(status({"1.0", "1", "genai", "127.0.0.1", "", "CURVE", key}) == "400");
  CHECK(status({"1.0", "1", "other", "127.0.0.1", "", "CURVE", key}) == "400");
  CHECK(status({"2.0", "1", "genai", "127.0.0.1", "", "CURVE", key}) == "400");
  CHECK(status({"1.0", "1", "genai", "127.0.0.1", "", "NULL"}) == "400");
  CHECK(status({"1.0", "1", "genai", "127.0.0.1", "", "PLAIN", "a", "b"}) == "400");
  CHECK(status({"1.0", "1", "genai", "127.0.0.1", "", "CURVE", "short"}) == "400");
  CHECK(status({"1.0"}) == "400");
}

TEST_CASE("a key that is taken off the ring stands for nobody from then on") {
  const KeyPair keys = make_key_pair();
  Server server({node(keys)});
  Dealer dealer(server.context, kLimits, server.endpoint, CurveClient{keys, server.own.public_key});
  REQUIRE(send_within(dealer, "hello", kPatience));
  auto received = receive_within(*server.router, kPatience);
  REQUIRE(received);
  CHECK(server.authenticator->ring()->identify(received->key) == node(keys));
  server.authenticator->replace({});
  REQUIRE(send_within(dealer, "still here", kPatience));
  received = receive_within(*server.router, kPatience);
  REQUIRE(received);
  CHECK(server.authenticator->ring()->identify(received->key) == Identity::nobody());
}

TEST_CASE("what others can reach needs a key, or to be asked for") {
  SecurityOptions plain, insecure, keyed, strict;
  insecure.insecure = true;
  keyed.key_file = strict.key_file = "a file";
  strict.secure_loopback = true;
  const auto is_refused = [](const std::string& endpoint, const SecurityOptions& options) {
    return security_problem("nodes-endpoint", endpoint, options).has_value();
  };
  for (const char* local : {"tcp://127.0.0.1:7", "tcp://127.8.8.8:7", "tcp://localhost:7",
                            "tcp://[::1]:7", "ipc:///tmp/x"}) {
    CAPTURE(local);
    CHECK(is_local(local));
    for (const auto* options : {&plain, &insecure, &keyed, &strict})
      CHECK(!is_refused(local, *options));
    CHECK(!connect_problem(local, false, false, "server-key"));
  }
  for (const char* open : {"tcp://0.0.0.0:7", "tcp://*:7", "tcp://10.0.0.1:7", "tcp://[::]:7",
                           "tcp://127.example.com:7", "tcp://127.1.example.com:7"}) {
    CAPTURE(open);
    CHECK(!is_local(open));
    CHECK(is_refused(open, plain));
    for (const auto* options : {&insecure, &keyed, &strict}) CHECK(!is_refused(open, *options));
    CHECK(connect_problem(open, false, false, "server-key")->find("(--server-key)") !=
          std::string::npos);
    CHECK(!connect_problem(open, true, false, "server-key"));
    CHECK(!connect_problem(open, false, true, "server-key"));
  }
  CHECK(is_refused("no endpoint", insecure));
  CHECK(connect_problem("tcp://127.0.0.1:0;192.0.2.1:7", true, true, ""));  // source;destination
}

TEST_CASE("a guard asks for keys where others can reach, and everywhere if told so") {
  Server server;
  SecurityOptions options;
  options.key_file = server.folder / "key";
  options.authorized_keys = server.folder.path;
  REQUIRE(write_key_file(options.key_file, server.own));
  const KeyPair a = make_key_pair();
  REQUIRE(authorize(server.folder.path, node(a)));
  Context context;
  {
    Guard guard(context, options);
    CHECK(guard.key_for("tcp://*:7").has_value());
    CHECK(!guard.key_for("tcp://127.0.0.1:7").has_value());
    CHECK(!guard.key_for("ipc:///tmp/x").has_value());
    CHECK(guard.authorized() == 1);
    // What is not asked for a key is anyone; what is, is whoever its key stands for now.
    Router open(context, kLimits), closed(context, kLimits, guard.key_for("tcp://*:7"));
    const Received frame{"peer", {}, true, a.public_key};
    CHECK(guard.identify(open, frame) == Identity::anyone());
    CHECK(guard.identify(closed, frame) == node(a));
    REQUIRE(revoke(server.folder.path, a.public_key));
    CHECK(guard.identify(closed, frame) == node(a));  // until it is read again
    CHECK(guard.take_revoked().empty());
    guard.reload();
    guard.reload();  // while it reads, or right after
    KeySet revoked;
    while (revoked.empty()) {
      pollfd waiting{guard.reload_fd(), POLLIN, 0};
      REQUIRE(poll(&waiting, 1, 30'000) == 1);
      revoked = guard.take_revoked();
    }
    CHECK(revoked == KeySet{a.public_key});
    CHECK(guard.identify(closed, frame) == Identity::nobody());
  }
  options.secure_loopback = true;
  Context another;
  CHECK(Guard(another, options).key_for("tcp://127.0.0.1:7").has_value());
}
