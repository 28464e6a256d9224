#include "dispatcher/store/sqlite/page_reader.h"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>

#include "dispatcher/store/sqlite/sqlite_rows.h"

namespace genai::dispatcher::store {
namespace {

// What a task takes beside its data, about.
constexpr std::size_t kTaskBytes = 1024;

std::uint64_t last_sequence(SQLite::Database& db) {
  const std::int64_t last = db.execAndGet("SELECT ifnull(max(sequence), 0) FROM tasks").getInt64();
  return last < 0 ? 0 : static_cast<std::uint64_t>(last);
}

/// What a page begins after. A sequence or key that is not positive makes no sense, but must not
/// be overlooked.
std::int64_t lower_bound(std::uint64_t after, std::int64_t value) {
  return after == 0 ? INT64_MIN : value;
}

}  // namespace

/// The table of large payloads and results, walked beside that of the tasks.
class PageReader::Blobs {
 public:
  Blobs(PageReader& reader, std::uint64_t after)
      : reader_(reader),
        rows_(reader.db_, "SELECT key, data FROM blobs WHERE key > ? ORDER BY key") {
    rows_.bind(1, lower_bound(after, static_cast<std::int64_t>(2 * after + 1)));
    step();
  }

  /// Those of this task; the tasks must come by their sequences.
  void attach_to(TaskRecord& task) {
    refuse_orphans_before(task.sequence);
    for (; there_ && key_ / 2 == task.sequence; step()) {
      Data& data = key_ % 2 ? task.result : task.payload;
      if (!data.empty()) throw std::invalid_argument("its task has such data already");
      data = Data(blob_of(rows_.getColumn(1)));
      reader_.blobs_.insert(key_);
    }
  }
  /// No task comes any more, except those that were added since.
  void end() {
    refuse_orphans_before(reader_.last_ + 1);
    for (; there_; step())
      if (!reader_.blobs_.contains(key_)) refuse();
  }

 private:
  void step() {
    there_ = rows_.executeStep();
    if (!there_) return;
    reader_.where_ = "blob " + rows_.getColumn(0).getString();
    key_ = uint_of(rows_.getColumn(0));
  }
  void refuse_orphans_before(std::uint64_t sequence) {
    if (there_ && key_ / 2 < sequence) refuse();
  }
  [[noreturn]] void refuse() {
    reader_.where_ = fmt::format("blob {}", key_);
    throw std::invalid_argument("belongs to no task");
  }

  PageReader& reader_;
  SQLite::Statement rows_;
  bool there_ = false;
  std::uint64_t key_ = 0;
};

PageReader::PageReader(SQLite::Database& db, std::unordered_set<std::uint64_t>& blobs,
                       ExtentIndex& large)
    : db_(db), blobs_(blobs), large_(large), last_(last_sequence(db)) {
  read_large_rows();
}

void PageReader::read_large_rows() {
  SQLite::Statement rows(db_, select_large_sql());
  while (rows.executeStep()) {
    where_ = "large data " + rows.getColumn(0).getString();
    const auto [key, extent] = read_large(rows);
    large_.add(key, extent);
    unattached_.insert(key);
  }
}

void PageReader::attach_large(Data& data, DataKey key) {
  if (unattached_.erase(key) == 0) return;
  const auto extent = large_.find(key);
  if (!extent) return;  // dropped since
  where_ = fmt::format("large data {}", key);
  if (!data.empty()) throw std::invalid_argument("its task has such data already");
  data = Data::apart(key, extent->bytes);
}

Page PageReader::read(const Cursor& from) {
  Page page;
  if (from.after == 0) read_fleet(page);
  SQLite::Statement rows(db_, select_tasks_sql());
  rows.bind(1, lower_bound(from.after, static_cast<std::int64_t>(from.after)));
  rows.bind(2, static_cast<std::int64_t>(last_));
  Blobs blobs(*this, from.after);
  std::size_t bytes = 0;
  while (rows.executeStep()) {
    if (page.tasks.size() == kPageTasks || bytes >= kPageBytes) {
      page.next = Cursor{page.tasks.back().sequence};
      return page;
    }
    where_ = "task of sequence " + rows.getColumn(0).getString();
    TaskRecord& task = page.tasks.emplace_back(read_task(rows));
    if (!ids_.insert(task.id.str()).second) throw std::invalid_argument("its id occurs twice");
    blobs.attach_to(task);
    attach_large(task.payload, payload_key(task.sequence));
    attach_large(task.result, result_key(task.sequence));
    check(task);
    bytes += kTaskBytes + task.spec.raw().size() + task.data_memory();
  }
  blobs.end();
  for (const DataKey key : unattached_)
    if (large_.find(key)) {
      where_ = fmt::format("large data {}", key);
      throw std::invalid_argument("belongs to no task");
    }
  ids_ = {};
  return page;
}

void PageReader::read_fleet(Page& page) {
  SQLite::Statement nodes(db_, select_nodes_sql());
  while (nodes.executeStep()) {
    where_ = "node " + nodes.getColumn(0).getString();
    page.nodes.push_back(read_node(nodes));
  }
  SQLite::Statement measures(db_, select_measures_sql());
  while (measures.executeStep()) {
    where_ = "measures of node " + measures.getColumn(0).getString();
    page.measures.push_back(read_measure(measures));
  }
}

void PageReader::check(const TaskRecord& task) {
  where_ = "task " + task.id.str();
  const bool has_payload = !is_terminal(task.status) || task.status == TaskStatus::kFailed;
  if ((!has_payload && !task.payload.empty()) ||
      ((task.status != TaskStatus::kCompleted || task.fetched) && !task.result.empty()))
    throw std::invalid_argument("it has data that do not go with its status");
  // What stands apart is checked when it is read.
  if (has_payload && !task.payload.is_apart() &&
      content_digest(task.spec.raw(), task.payload.view()) != task.digest)
    throw std::invalid_argument("its payload is not what was accepted");
}

}  // namespace genai::dispatcher::store
