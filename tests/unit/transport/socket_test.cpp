// The traps of HAZARDS: whole messages only, unknown peers, oversized frames, full queues.
#include "protocol/transport/socket.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>

using namespace genai;
using namespace genai::transport;

namespace {

constexpr SocketLimits kLimits{1 << 20, 1000, 1000};

/// A fresh one; its file is removed at the end.
std::string endpoint() {
  struct Files {
    std::vector<std::string> paths;
    ~Files() {
      for (const std::string& path : paths) {
        unlink(path.c_str());
        unlink((path + ".lock").c_str());
      }
    }
  };
  static Files files;
  files.paths.push_back("/tmp/genai-socket-test-" + std::to_string(getpid()) + "-" +
                        std::to_string(files.paths.size()));
  return "ipc://" + files.paths.back();
}

Received next(Socket& socket) {
  PollSet poll;
  poll.add(socket);
  for (int i = 0; i < 1000; ++i) {
    poll.wait(from_ms(10));
    if (auto received = socket.receive()) return std::move(*received);
  }
  FAIL("nothing came");
  return {};
}

/// IMMEDIATE: until the connection stands nothing is taken.
void send(Dealer& dealer, const std::string& frame) {
  PollSet none;
  for (int i = 0; i < 1000; ++i) {
    if (dealer.send(frame) == SendResult::kQueued) return;
    none.wait(from_ms(5));
  }
  FAIL("never connected");
}

}  // namespace

TEST_CASE("a message goes there and back") {
  Context context;
  Router router(context, kLimits);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  Dealer dealer(context, kLimits, at);
  send(dealer, "hello");
  const Received received = next(router);
  CHECK(received.well_formed);
  CHECK(received.frame.view() == "hello");
  CHECK(!received.peer.empty());
  CHECK(router.send(received.peer, "back") == SendResult::kQueued);
  CHECK(next(dealer).frame.view() == "back");
}

TEST_CASE("a message of more than one frame is reported and its content dropped") {
  Context context;
  Router router(context, kLimits);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  zmq::socket_t raw(context.zmq(), zmq::socket_type::dealer);
  raw.set(zmq::sockopt::linger, 0);
  raw.connect(at);
  for (int i = 0; i < 9; ++i) raw.send(zmq::str_buffer("part"), zmq::send_flags::sndmore);
  raw.send(zmq::str_buffer("last"), zmq::send_flags::none);
  raw.send(zmq::str_buffer("single"), zmq::send_flags::none);
  const Received many = next(router);
  CHECK(!many.well_formed);
  CHECK(many.frame.empty());
  CHECK(next(router).frame.view() == "single");
}

TEST_CASE("a connection that has named itself is reported and its content dropped") {
  Context context;
  Router router(context, kLimits);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  zmq::socket_t named(context.zmq(), zmq::socket_type::dealer);
  named.set(zmq::sockopt::routing_id, "victim");
  named.set(zmq::sockopt::linger, 0);
  named.connect(at);
  named.send(zmq::str_buffer("hello"), zmq::send_flags::none);
  const Received received = next(router);
  CHECK(received.peer == "victim");
  CHECK_FALSE(received.well_formed);
  CHECK(received.frame.empty());
}

TEST_CASE("sending to nobody says so") {
  Context context;
  Router router(context, kLimits);
  REQUIRE(router.bind(endpoint()));
  CHECK(router.send("nobody", "x") == SendResult::kGone);
  Dealer dealer(context, kLimits, endpoint());
  CHECK(dealer.send("x") == SendResult::kFull);
}

TEST_CASE("a peer that does not read fills only its own queue") {
  Context context;
  Router router(context, {1 << 20, 10, 10});
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  Dealer dealer(context, {1 << 20, 10, 10}, at);
  send(dealer, "hello");
  const std::string peer = next(router).peer;
  SendResult result = SendResult::kQueued;
  for (int i = 0; i < 100'000 && result == SendResult::kQueued; ++i)
    result = router.send(peer, std::string(10'000, 'x'));
  CHECK(result == SendResult::kFull);
}

TEST_CASE("a peer that reads nothing costs so many bytes, and others are sent to") {
  Context context;
  SocketLimits few = kLimits;
  few.max_unsent_bytes = 1 << 20;
  Router router(context, few);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  Dealer deaf(context, {1 << 20, 10, 10}, at), good(context, kLimits, at);
  send(deaf, "hello");
  const std::string peer = next(router).peer;
  send(good, "hello");
  const std::string other = next(router).peer;
  SendResult result = SendResult::kQueued;
  for (int i = 0; i < 1000 && result == SendResult::kQueued; ++i)
    result = router.send(peer, std::string(100'000, 'x'));
  CHECK(result == SendResult::kFull);
  CHECK(router.unsent_bytes() > 900'000);
  CHECK(router.unsent_bytes() <= 1 << 20);
  CHECK(router.send(other, "fine") == SendResult::kQueued);
  CHECK(next(good).frame.view() == "fine");
  // As it reads there is room again.
  for (int i = 0; router.send(peer, std::string(100'000, 'y')) == SendResult::kFull; ++i) {
    REQUIRE(i < 1000);
    next(deaf);
  }
}

TEST_CASE("what waits for one who is gone is forgotten") {
  Context context;
  Router router(context, kLimits);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  std::optional<Dealer> deaf(std::in_place, context, SocketLimits{1 << 20, 10, 10}, at);
  send(*deaf, "hello");
  const std::string peer = next(router).peer;
  for (int i = 0; i < 100; ++i) router.send(peer, std::string(100'000, 'x'));
  CHECK(router.unsent_bytes() > 0);
  deaf.reset();
  PollSet none;
  for (int i = 0; router.unsent_bytes() > 0; ++i) {
    REQUIRE(i < 1000);
    router.receive();  // libzmq ends connections when its socket is used
    none.wait(from_ms(10));
  }
}

/// No descriptor can be opened while it lives.
class NoFilesLeft {
 public:
  NoFilesLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int first_free = dup(STDERR_FILENO);
    close(first_free);
    const rlimit none{static_cast<rlim_t>(first_free), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoFilesLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_CASE("a connection that cannot be renewed for want of descriptors goes on") {
  Context context;
  Router router(context, kLimits);
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  const auto make = [&] { return Dealer(context, kLimits, at); };
  Dealer dealer = make();
  send(dealer, "before");
  const std::string peer = next(router).peer;
  {
    const NoFilesLeft limit;
    CHECK(!renew(dealer, make));
    send(dealer, "meanwhile");
    CHECK(next(router).peer == peer);
  }
  CHECK(renew(dealer, make));
  send(dealer, "after");
  CHECK(next(router).peer != peer);
}

TEST_CASE("an oversized frame never arrives and the service lives") {
  Context context;
  Router router(context, {1000, 1000, 1000});
  const std::string at = endpoint();
  REQUIRE(router.bind(at));
  Dealer large(context, kLimits, at), small(context, kLimits, at);
  send(large, std::string(2000, 'x'));
  send(small, "small");
  CHECK(next(router).frame.view() == "small");
  CHECK(!router.receive());
}

TEST_CASE("a port of any number is told as bound, in IPv4 form") {
  Context context;
  Router router(context, kLimits);
  auto bound = router.bind("tcp://127.0.0.1:*");
  REQUIRE(bound);
  CHECK(bound->starts_with("tcp://127.0.0.1:"));
  Router other(context, kLimits);
  auto taken = other.bind(*bound);
  REQUIRE(!taken);
  CHECK(taken.error().detail.find(*bound) != std::string::npos);
}

TEST_CASE("an ipc path where somebody listens is not taken over") {
  const std::string at = endpoint();
  Context context;
  Router router(context, kLimits);
  REQUIRE(router.bind(at));
  Router other(context, kLimits);
  const auto taken = other.bind(at);
  REQUIRE(!taken);
  CHECK(taken.error().detail ==
        "cannot bind " + at + ": Address already in use by process " + std::to_string(getpid()));
  Dealer dealer(context, kLimits, at);
  send(dealer, "hello");
  CHECK(next(router).frame.view() == "hello");
}

TEST_CASE("an ipc path is free once the context of its socket has ended") {
  const std::string at = endpoint();
  for (int i = 0; i < 3; ++i) {
    Context context;
    Router router(context, kLimits);
    REQUIRE(router.bind(at));
    Dealer dealer(context, kLimits, at);
    send(dealer, "hello");
    CHECK(next(router).frame.view() == "hello");
  }
}

TEST_CASE("what else is at an ipc path") {
  const std::string at = endpoint(), path = at.substr(6);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto listen_there = [&] {
    Descriptor listener(socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    return listener;
  };
  Context context;
  Router router(context, kLimits);
  SECTION("a program that knows no lock is left alone") {
    const Descriptor listener = listen_there();
    const auto taken = router.bind(at);
    REQUIRE(!taken);
    CHECK(taken.error().detail.find("in use by another program") != std::string::npos);
  }
  SECTION("the socket of a program that has died is replaced") {
    listen_there();
    CHECK(router.bind(at));
  }
  SECTION("a file that is no socket is not deleted") {
    { const Descriptor file(open(path.c_str(), O_CREAT | O_WRONLY, 0600)); }
    const auto taken = router.bind(at);
    REQUIRE(!taken);
    CHECK(taken.error().detail.find("not a socket") != std::string::npos);
    CHECK(access(path.c_str(), F_OK) == 0);
  }
  SECTION("a folder that is not there") { CHECK(!router.bind(at + "/no/such")); }
}

TEST_CASE("an abstract ipc name in use is refused by the kernel") {
  const std::string at = "ipc://@genai-socket-test-" + std::to_string(getpid());
  Context context;
  Router router(context, kLimits), other(context, kLimits);
  REQUIRE(router.bind(at));
  CHECK(!other.bind(at));
}

TEST_CASE("routing ids differ from process start to process start") {
  // Seeded from the kernel: two contexts hand out different first ids.
  Context context;
  std::string first[2];
  for (std::string& id : first) {
    Context fresh;
    Router router(fresh, kLimits);
    const std::string at = endpoint();
    REQUIRE(router.bind(at));
    Dealer dealer(fresh, kLimits, at);
    send(dealer, "x");
    id = next(router).peer;
  }
  CHECK(first[0] != first[1]);
}

TEST_CASE("what libzmq bounds is set on purpose") {
  Context context;
  CHECK(context.zmq().get(zmq::ctxopt::max_sockets) == limits::kMaxZmqSockets);
  Router router(context, {1000, 20, 30});
  CHECK(router.ref().get(zmq::sockopt::backlog) == limits::kListenBacklog);
  CHECK(router.ref().get(zmq::sockopt::handshake_ivl) == limits::kHandshakeIvlMs);
  CHECK(router.ref().get(zmq::sockopt::maxmsgsize) == 1000);
  CHECK(router.ref().get(zmq::sockopt::sndhwm) == 20);
  CHECK(router.ref().get(zmq::sockopt::rcvhwm) == 30);
  CHECK(router.ref().get(zmq::sockopt::linger) == 0);
}
