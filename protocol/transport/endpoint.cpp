#include "protocol/transport/endpoint.h"

#include <arpa/inet.h>

#include <charconv>
#include <string_view>

namespace genai::transport {
namespace {

constexpr std::size_t kMaxIpcPathBytes = 107;  // sockaddr_un, less its terminator

std::optional<std::string> tcp_problem(std::string_view address) {
  if (address.find(';') != std::string_view::npos) return "one address, without ';'";
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size())
    return "expected tcp://HOST:PORT";
  const std::string_view port = address.substr(colon + 1);
  if (port == "*") return std::nullopt;
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number > 65535)
    return "port is not a number from 0 to 65535";
  return std::nullopt;
}

/// 127.x.y.z: a name may begin like that too.
bool is_loopback_address(std::string_view host) {
  in_addr address{};
  return host.starts_with("127.") && inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

}  // namespace

std::optional<std::string> endpoint_problem(const std::string& endpoint) {
  const std::string_view text = endpoint;
  if (text.starts_with("tcp://")) return tcp_problem(text.substr(6));
  if (text.starts_with("ipc://")) {
    if (text.size() == 6) return "expected ipc://PATH";
    if (text.size() - 6 > kMaxIpcPathBytes) return "ipc path is longer than 107 bytes";
    return std::nullopt;
  }
  if (text.starts_with("inproc://") && text.size() > 9) return std::nullopt;
  return "expected tcp://HOST:PORT or ipc://PATH";
}

bool is_local(const std::string& endpoint) {
  const std::string_view text = endpoint;
  if (!text.starts_with("tcp://")) return true;
  const std::string_view host = text.substr(6, text.rfind(':') - 6);
  return host == "localhost" || host == "lo" || host == "[::1]" || is_loopback_address(host);
}

std::optional<std::string> connect_problem(const std::string& endpoint, bool encrypted,
                                           bool insecure, const std::string& key_option) {
  if (auto what = endpoint_problem(endpoint)) return what;
  if (encrypted || insecure || is_local(endpoint)) return std::nullopt;
  return endpoint + " is another machine: it needs its public key (--" + key_option +
         "), or --insecure";
}

}  // namespace genai::transport
