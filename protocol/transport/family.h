// The kind of address (IPv4 or IPv6) of an endpoint's host. A libzmq socket takes one kind only.
#pragma once

#include <string>

namespace genai::transport {

/// Returns whether a socket needs IPv6 to connect there: the host is an IPv6 address in brackets,
/// or a name without an IPv4 address. A separate thread resolves a name, because a name server may
/// take long to answer. The first call waits one second for the answer. A later call returns the
/// last known answer at once, and resolves the name again for the next call.
bool needs_ipv6(const std::string& endpoint);

}  // namespace genai::transport
