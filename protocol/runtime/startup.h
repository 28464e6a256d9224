// What a process inherits from whoever started it, put in order before anything else happens.
#pragma once

namespace genai::runtime {

enum class Role {
  kDaemon,  // a stray signal does not end it
  kTool,    // ends like any other command
};

/// Call it first in every main, before a descriptor or a thread exists.
/// - Descriptors 0 to 2 that are closed are taken, so that no file, socket or database gets such a
///   number and the log or a library's last words on top. Reading and writing them still fails.
/// - Other descriptors are not passed on to programs that are started (see close_inherited).
/// - No umask takes away the owner's own rights to what is made.
/// - No signal stays blocked.
/// - SIGXFSZ is ignored: a file that may not grow is an error of the write. A daemon also ignores
///   the signals that would end it without being meant to: SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM,
///   SIGPROF, SIGIO, SIGPWR, SIGSTKFLT and the real-time ones, and those that would stop it when it
///   writes to a terminal in the background. Left alone are SIGQUIT and the signals of crashes,
///   which leave a core, SIGXCPU, a limit that somebody set, and what a profiler or a sanitizer has
///   caught already. SIGTERM, SIGINT, SIGHUP and SIGPIPE are the SignalFd's: until then a daemon
///   ends like a tool, at `--help | head` too.
void prepare_process(Role role);

/// Closes the descriptors above 2 that were there at prepare_process. For a daemon, once its
/// options are read, which may name /dev/fd/N: it would hold a parent's locks and pipes for as long
/// as it lives.
void close_inherited();

}  // namespace genai::runtime
