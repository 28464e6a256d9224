// Data that stands apart in the store is read before it can be sent: what waits for which read, and
// how much is read at once.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "dispatcher/store/store.h"
#include "dispatcher/tasks/data.h"
#include "dispatcher/tasks/handle.h"
#include "protocol/base/ids.h"
#include "protocol/wire/assignment_ref.h"

namespace genai::dispatcher {

/// A ReadData was done.
struct DataRead {
  std::uint64_t number;
  store::Result<Blob> bytes;
};

/// A payload is to be sent with an assignment.
struct ForAssign {
  TaskHandle task;
  std::uint64_t sequence;  // of the task
  SessionId session;
  AssignmentRef ref;
};
/// A result is to be delivered to a client.
struct ForDeliver {
  TaskHandle task;
  std::uint64_t sequence;
  std::string peer;
};
/// A part of a result was asked for by a client.
struct ForFetch {
  TaskHandle task;
  std::uint64_t sequence;
  TaskId id;
  std::string peer;
  std::uint64_t request;
  std::uint64_t offset;
};
using ReadPurpose = std::variant<ForAssign, ForDeliver, ForFetch>;

/// What was read, and what for. Between the two the task may have changed, or be gone.
struct ReadResult {
  ReadPurpose purpose;
  DataKey key;
  std::uint64_t offset, size;  // as it was wanted
  store::Result<Blob> bytes;
};

/// Not thread-safe. Pure.
class Reads {
 public:
  /// Of reads under way. One that is larger goes alone.
  static constexpr std::uint64_t kReadWindowBytes = std::uint64_t{64} << 20;  // limit

  /// `bytes` of the data from `offset` on are needed. The data must be apart.
  void want(ReadPurpose purpose, const Data& data, std::uint64_t offset, std::uint64_t bytes);
  void want(ReadPurpose purpose, const Data& data) {
    want(std::move(purpose), data, 0, data.size());
  }
  /// Returns what was wanted.
  ReadResult handle(DataRead event);
  /// It could not be read now: once more.
  void again(ReadResult read) {
    waiting_.push_back({std::move(read.purpose), read.key, read.offset, read.size});
  }
  /// Reads that can begin now.
  std::vector<ReadData> take_events();
  void check() const;

 private:
  struct Wanted {
    ReadPurpose purpose;
    DataKey key;
    std::uint64_t offset, bytes;
  };

  std::deque<Wanted> waiting_;
  std::unordered_map<std::uint64_t, Wanted> under_way_;  // by number
  std::uint64_t under_way_bytes_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace genai::dispatcher
