// One process beside each command: it ends all that the command has started, and all that those
// have started, when told to, when the command itself has ended, and when genai-node has died.
//
//   genai-node ──control──▶ supervisor ──▶ sh -c COMMAND ──▶ ...
//
// The supervisor is a child subreaper: whoever below it loses its parent becomes its child. So what
// it has to end is what is below it, whatever groups and sessions that has made (setsid, timeout, a
// daemon), and nobody is left once it has no child. Who kills the supervisor itself kills the
// command with it; what is below the command falls to genai-node, a subreaper too, which ends it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace genai::node {

class Scratch;

/// After SIGTERM the command, and all below it, have this long.
inline constexpr std::chrono::milliseconds kKillGrace{2000};

/// Descriptors of a command; each may be any number.
struct ChildFds {
  int in;
  int out;
  int err;
  int progress;  // its descriptor 3
};

struct Supervised {
  pid_t pid;    // of the supervisor; for finish_supervised
  int control;  // write kTerminate; read one CommandEnd; end of file: none will come
};

/// How a command ended, told once nothing of it is left.
struct CommandEnd {
  int status = 0;       // as waitpid gives it
  int start_error = 0;  // errno, when it could not be started at all
};

inline constexpr char kTerminate = 'T';

/// Starts `/bin/sh -c command` with exactly `environment` ("NAME=value") and these descriptors.
/// When genai-node dies the supervisor removes the scratch folder, and it holds that folder's lock
/// until then. Throws std::system_error when the system refuses.
Supervised start_supervised(const std::string& command, const std::vector<std::string>& environment,
                            const ChildFds& fds, const Scratch& scratch);

/// Waits for the end of the supervisor. If that was killed, ends what it has left behind.
void finish_supervised(const Supervised& supervised);

/// Makes this process the one that gets what killed supervisors leave behind. Everything below it
/// counts as such, so it does nothing in a process that has children already (`helper & exec
/// genai-node`). Call it before the first start_supervised.
void adopt_orphans();

}  // namespace genai::node
