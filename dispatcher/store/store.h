// Where tasks outlive the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "dispatcher/store/record.h"

namespace genai::dispatcher::store {

/// Why a store cannot go on.
enum class Failure : std::uint8_t {
  kFull,         // no room: nothing was taken, and it can be tried again
  kLocked,       // another program writes to it: the same
  kIo,           // the disk failed: only a restart, which reads what is really there, is safe
  kInUse,        // another process uses it
  kNewer,        // written by a newer version of this program
  kDamaged,      // what is there cannot be read
  kNotWritable,  // it cannot be made or opened for writing
};

struct StoreError {
  Failure failure;
  std::string detail;  // what, where, and what to do about it
};

template <class T>
using Result = tl::expected<T, StoreError>;

/// What a start finds.
struct Loaded {
  std::uint64_t last_epoch = 0;   // 0: none yet
  std::vector<TaskRecord> tasks;  // by sequence
  std::vector<NodeRow> nodes;
  std::vector<MeasureRow> measures;  // of one node and model in a row
};

/// Not thread-safe: one thread at a time uses it.
class Store {
 public:
  virtual ~Store() = default;

  virtual std::string_view name() const = 0;
  /// Whether what was committed survives the process. One that is not durable is never asked to
  /// commit: nothing need wait for it.
  virtual bool is_durable() const = 0;

  /// All that earlier processes committed. Called once, before anything else. Forgets what it
  /// returns: large payloads are not held twice.
  virtual Result<Loaded> load() = 0;
  /// Keeps the epoch of this process; returns after it is on the disk.
  virtual Result<void> begin_epoch(std::uint64_t epoch) = 0;
  /// Returns after the whole batch is on the disk, or an error and nothing of it is. After any
  /// failure but kFull and kLocked the store must not be used again. An empty batch only asks
  /// whether there is room (kFull or not).
  virtual Result<void> commit(const Batch& batch) = 0;
  /// Housekeeping that nobody waits for, after a commit. Errors as of commit.
  virtual Result<void> tidy() { return {}; }
  /// Whether room gets short: new tasks should be refused, so that results still get in. After a
  /// commit.
  virtual bool is_low() const = 0;
};

}  // namespace genai::dispatcher::store
