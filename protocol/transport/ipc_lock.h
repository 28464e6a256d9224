// The right to listen at an ipc path. ZeroMQ removes whatever is there and binds, so a second
// process would take the path over from a living one in silence.
#pragma once

#include <string>

#include "protocol/base/descriptor.h"
#include "protocol/base/errors.h"

namespace genai::transport {

/// Of ipc://PATH locks PATH.lock, a file that stays. What a dead process has left at PATH is free
/// to take; an error, with the reason, when somebody listens or when PATH is something other than a
/// socket. Keep the lock until the socket and its file are gone: for as long as the ZeroMQ context
/// lives. Other endpoints need none: the kernel refuses what is in use, abstract names
/// (ipc://@NAME) too, and ZeroMQ makes up a free path for ipc://*.
Expected<Descriptor> lock_ipc_path(const std::string& endpoint);

}  // namespace genai::transport
