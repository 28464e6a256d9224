// Where tasks outlive the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "dispatcher/store/batch.h"

namespace genai::dispatcher::store {

/// Why a store cannot go on.
enum class Failure : std::uint8_t {
  kFull,         // no room: it can be tried again
  kLocked,       // another program writes to it: the same
  kIo,           // the disk failed: only a restart, which reads what is really there, is safe
  kFenced,       // another owner has the lease: this process must write, and promise, nothing more
  kInUse,        // another process has the lease
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

/// The right to write. The store takes no commit under an epoch older than the latest that it has
/// granted, so whoever was taken for dead, and was not, can do no harm (fencing).
struct Lease {
  std::uint64_t epoch = 0;  // greater than that of any lease before; at least 1
};

/// Where a load goes on. A new one begins.
struct Cursor {
  std::uint64_t after = 0;  // sequence of the last task that was read; 0: none was
};

/// A part of what a start finds.
struct Page {
  std::vector<TaskRecord> tasks;     // by sequence
  std::vector<NodeRow> nodes;        // all of them, in the first page
  std::vector<MeasureRow> measures;  // the same; of one node and model in a row
  std::optional<Cursor> next;        // none: it is the last page
};

enum class Room : std::uint8_t {
  kEnough,
  kLow,  // new tasks should be refused, so that results still get in
};

/// Reads the data that stands apart. One thread uses it, while another uses the store. It may
/// outlive the store.
class DataReader {
 public:
  virtual ~DataReader() = default;
  /// `bytes` of the data from `offset` on; both must lie inside. It may be large. kDamaged: it
  /// cannot be read, or was dropped meanwhile. kLocked: the process lacks something (a descriptor,
  /// memory) that it may have a moment later; returns that after such a moment.
  virtual Result<Blob> read(DataKey key, std::uint64_t offset, std::uint64_t bytes) = 0;
};

/// Use: acquire(), then load() until the last page, then commit() for as long as the process lives.
/// The lease ends with this object, however the process ends.
///
/// Nobody may be answered before the last page was read. A client that submits a known id once more
/// must be told what became of it, and not start it anew; and a node whose result belongs to a task
/// that was not read yet would be told to forget the only copy.
///
/// Not thread-safe: one thread at a time uses it.
class Store {
 public:
  virtual ~Store() = default;

  virtual std::string_view name() const = 0;
  /// Whether what was committed survives the process. One that is not durable is never asked to
  /// commit: nothing need wait for it.
  virtual bool is_durable() const = 0;

  /// Takes the lease; its epoch is the least that is greater than any before and not less than
  /// `least_epoch`. It is on the disk when this returns. kInUse while anybody has the lease.
  /// `owner`: for people, who this process is.
  virtual Result<Lease> acquire(std::string_view owner, std::uint64_t least_epoch) = 0;
  /// Shows that the lease still holds, and that the store can still be written; looks at the room.
  /// An epoch below `least_epoch` is raised to it, on the disk, and the lease with the old one is
  /// over. Errors as of commit().
  virtual Result<Lease> renew(const Lease& lease, std::uint64_t least_epoch) = 0;
  /// The next page of what earlier owners committed, of a bounded size, however much there is.
  /// Tasks that were added under this lease are left out.
  virtual Result<Page> load(const Lease& lease, const Cursor& from) = 0;
  /// Returns after the whole batch is on the disk. After kFull and kLocked the batch holds the part
  /// of it that is not written, to be tried again: no task is in both parts, so a crash now is one
  /// before the commit for some of the tasks. After kFenced nothing of it is written. After any
  /// other failure the store must not be used again. An empty batch is no error.
  virtual Result<void> commit(const Lease& lease, Batch& batch) = 0;
  /// As of the last call of one of the above.
  virtual Room room() const = 0;
  /// Payloads and results of more bytes stand apart (Data) once they are committed: load() tells
  /// where they are, and reader() gets them.
  virtual std::size_t largest_inline() const { return SIZE_MAX; }
  /// The size of the disk that it stands on; 0: it stands on none.
  virtual std::uint64_t disk_bytes() const { return 0; }
  /// Null if no data stands apart. The store must be acquired.
  virtual std::unique_ptr<DataReader> reader() { return nullptr; }
  /// Housekeeping that nobody waits for, after a commit. Errors as of commit().
  virtual Result<void> tidy() { return {}; }
};

}  // namespace genai::dispatcher::store
