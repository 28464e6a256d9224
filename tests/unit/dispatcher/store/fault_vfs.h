// A disk for SQLite that fails when it is told to, and forgets what was not synced.
#pragma once

#include <sqlite3.h>

#include <string>

namespace genai::dispatcher::store {

/// Wraps SQLite's default VFS under the name "faults". One at a time; not thread-safe.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;

  enum class Operation { kWrite, kSync };
  /// The n-th (from 1) operation of that kind from now on answers `code`, as do all after it until
  /// heal(). A failing write that is `half` writes the first half.
  void fail(Operation operation, int n, int code, bool half = false);
  /// Every write answers SQLITE_FULL while the file is there.
  void fail_while_exists(const std::string& path);
  void heal();
  /// Whether the failure was met.
  bool was_met() const;

  /// From now on remembers each file as of its last sync.
  void watch_syncs();
  /// Puts every file back to its last sync. All connections must be closed without a word (they
  /// would sync): see abandon().
  void lose_power();
  /// All later operations fail, so that closing a connection changes nothing on the disk.
  void abandon();
};

}  // namespace genai::dispatcher::store
