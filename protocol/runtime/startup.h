// Puts the inheritance of a process (descriptors, umask, signals) in order before all else.
#pragma once

namespace genai::runtime {

enum class Role {
  kDaemon,  // a signal that was not meant to end it does not end it
  kTool,    // signals end it like any other command
};

/// Call it first in every main, before a descriptor or a thread is made.
/// - It opens the closed ones of the descriptors 0 to 2. Else a file, socket or database could get
///   such a number, and log lines would be written into it. To read or write them still fails.
/// - Other descriptors are not passed on to programs that are started (see close_inherited).
/// - The umask never takes away the owner's own rights to a new file.
/// - No signal stays blocked.
/// - SIGXFSZ is ignored: a file that may not grow is an error of the write. A daemon also ignores
///   signals that would end it by accident: SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO,
///   SIGPWR, SIGSTKFLT and the real-time ones, and those that would stop it when it writes to a
///   terminal in the background. These stay as they are: SIGQUIT and the signals of crashes, which
///   leave a core; SIGXCPU, a limit that a user set; signals that a profiler or sanitizer handles.
///   SignalFd handles SIGTERM, SIGINT, SIGHUP and SIGPIPE. Until there is one, a daemon ends like a
///   tool, also in `--help | head`.
void prepare_process(Role role);

/// Closes the descriptors above 2 that were open at prepare_process: a daemon would keep the locks
/// and pipes of its parent open as long as it lives. Call it when the options are read, because
/// these may name /dev/fd/N.
void close_inherited();

}  // namespace genai::runtime
