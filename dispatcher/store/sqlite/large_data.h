// The payloads and results that are too large for the tables: their bytes in segments, and the rows
// of the table `large` that say where.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dispatcher/store/sqlite/extent_index.h"
#include "dispatcher/store/sqlite/segments.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Use, for each commit: write(), then in the transaction the rows of extent_of() and drop(), then
/// keep() when the transaction is on the disk, or roll_back() when it certainly is not. After an
/// error that leaves this open neither: a start finds out, and the rows must find their data.
/// Not thread-safe.
class LargeData {
 public:
  /// What has more bytes than `largest_inline` is large.
  LargeData(Segments segments, std::size_t largest_inline)
      : segments_(std::move(segments)), largest_inline_(largest_inline) {}

  /// For the rows that a start finds; then begin().
  ExtentIndex& index() { return *index_; }
  /// Collects what no row refers to. False: none of the files is there to which rows refer.
  bool begin();

  /// Payloads of other tasks (Batch::added) get the keys of the tasks that are added, so it does
  /// not matter whether the others go first.
  void share_payloads(Batch& batch);
  /// Brings the large data of the batch to the disk. Before the transaction begins: others may read
  /// meanwhile, and nothing refers to it yet.
  Result<void> write(const Batch& batch);
  /// Where the data of that key is, or is about to be; nothing if it is not large.
  std::optional<Extent> extent_of(DataKey key) const;
  /// The row goes with the transaction. False: there is none.
  bool drop(DataKey key);
  void keep();
  void roll_back() { segments_.roll_back(); }

  /// Gives back the room of what was dropped, unless a backup copies.
  void give_room_back() {
    if (!freed_.empty()) segments_.release(freed_);
  }
  std::unique_ptr<DataReader> reader() const;
  const std::string& folder() const { return segments_.folder(); }

 private:
  Result<void> write_all(const Batch& batch);
  Result<void> write(DataKey key, const Data& data);

  Segments segments_;
  const std::size_t largest_inline_;
  std::shared_ptr<ExtentIndex> index_ = std::make_shared<ExtentIndex>();
  // By the transaction under way.
  std::unordered_map<DataKey, Extent> new_;
  std::vector<DataKey> gone_;
  std::vector<Extent> freed_;  // nothing refers to them any more
};

}  // namespace genai::dispatcher::store
