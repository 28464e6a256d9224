// The right to listen at an ipc path. ZeroMQ removes any file at the path before it binds, so
// without this lock a second process could silently take the path of a living one.
#pragma once

#include <string>

#include "protocol/base/descriptor.h"
#include "protocol/base/errors.h"

namespace genai::transport {

/// Locks PATH.lock for ipc://PATH; that file stays. A socket of a dead process at PATH may be
/// taken. Returns an error with the reason if a process listens there, or if PATH is not a socket.
/// Keep the lock until the socket and its file are gone, that is: as long as the ZeroMQ context
/// lives. Other endpoints need no lock: the kernel refuses an address in use and an abstract name
/// in use (ipc://@NAME), and ZeroMQ finds a free path for ipc://*.
Expected<Descriptor> lock_ipc_path(const std::string& endpoint);

}  // namespace genai::transport
