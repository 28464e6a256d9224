#include "protocol/transport/family.h"

#include <netdb.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

namespace genai::transport {
namespace {

constexpr std::chrono::seconds kFirstWait{1};

/// Nothing when the host has no address, or nobody knows.
std::optional<bool> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  bool six = false;
  for (const addrinfo* address = found; address; address = address->ai_next) {
    if (address->ai_family == AF_INET) return false;
    six |= address->ai_family == AF_INET6;
  }
  if (!six) return std::nullopt;
  return true;
}

/// What was learnt of one name. A thread may outlive whoever asks.
struct Host {
  std::mutex mutex;
  std::condition_variable answered;
  bool is_asking = false, was_asked = false;
  bool six = false;  // by the last answer
};

void ask(const std::shared_ptr<Host>& host, const std::string& name) {
  host->is_asking = true;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // signals are the main thread's
  try {
    std::thread([host, name] {
      const auto six = look_up(name);
      const std::lock_guard lock(host->mutex);
      host->six = six.value_or(host->six);
      host->is_asking = false;
      host->answered.notify_all();
    }).detach();
  } catch (const std::system_error&) {
    host->is_asking = false;  // no thread left: asked again the next time
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::shared_ptr<Host> host_named(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<Host>> hosts;
  const std::lock_guard lock(mutex);
  auto& host = hosts[name];
  if (!host) host = std::make_shared<Host>();
  return host;
}

bool is_ipv4(std::string_view host) {
  return host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

bool needs_ipv6(const std::string& endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  if (!endpoint.starts_with(kTcp)) return false;
  const std::string name =
      endpoint.substr(kTcp.size(), endpoint.rfind(':') - kTcp.size());  // tcp://HOST:PORT
  if (name.starts_with('[')) return true;
  if (is_ipv4(name)) return false;
  const auto host = host_named(name);
  std::unique_lock lock(host->mutex);
  if (!host->is_asking) ask(host, name);
  if (!host->was_asked) host->answered.wait_for(lock, kFirstWait, [&] { return !host->is_asking; });
  host->was_asked = true;
  return host->six;
}

}  // namespace genai::transport
