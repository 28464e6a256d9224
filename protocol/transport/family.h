// Which kind of address the host of an endpoint has. libzmq takes one kind or the other.
#pragma once

#include <string>

namespace genai::transport {

/// Whether a socket has to speak IPv6 to connect there: the host is an IPv6 address in brackets, or
/// a name that has no IPv4 address. A name is asked for on a thread of its own, since a name server
/// may take long to answer: the first time this waits a second for it. Later it returns at once
/// what is known, and asks again for the next time.
bool needs_ipv6(const std::string& endpoint);

}  // namespace genai::transport
