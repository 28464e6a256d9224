// One process beside each command: it kills the command's whole process group when told to, when
// the command itself has ended, and when genai-node has died without a word.
//
//   genai-node ──control──▶ supervisor (own session) ──▶ sh -c COMMAND (own process group)
//
// Descendants that leave the process group (setsid) escape; a service manager's cgroup gets those.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace genai::node {

/// After SIGTERM the group has this long.
inline constexpr std::chrono::milliseconds kKillGrace{2000};

/// Descriptors of a command; each may be any number.
struct ChildFds {
  int in;
  int out;
  int err;
  int progress;  // its descriptor 3
};

struct Supervised {
  pid_t pid;    // of the supervisor, to be reaped
  int control;  // write kTerminate; read one int, the wait status; end of file: no status will come
};

inline constexpr char kTerminate = 'T';

/// Starts `/bin/sh -c command` with exactly `environment` ("NAME=value"). When genai-node dies,
/// `scratch_file` and then `scratch_dir` are removed. Both descriptors of the result are closed on
/// exec. Throws std::system_error when the system refuses.
Supervised start_supervised(const std::string& command, const std::vector<std::string>& environment,
                            const ChildFds& fds, const std::string& scratch_file,
                            const std::string& scratch_dir);

}  // namespace genai::node
