#include "dispatcher/store/sqlite/sqlite_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "dispatcher/store/sqlite/text.h"
#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher::store {
namespace {

// ---- statements

/// The names of all columns, or only of those that are read.
class Columns {
 public:
  explicit Columns(bool shown_too) : shown_too_(shown_too) {}
  void key(const char* name) { names_.push_back(name); }
  void fixed(const char* name) { names_.push_back(name); }
  void shown(const char* name) {
    if (shown_too_) names_.push_back(name);
  }
  void changing(const char* name) { names_.push_back(name); }
  void data(const char* name) { names_.push_back(name); }

  std::string list() const { return fmt::format("{}", fmt::join(names_, ", ")); }
  std::string places() const {
    return fmt::format("{}", fmt::join(std::vector<const char*>(names_.size(), "?"), ", "));
  }

 private:
  const bool shown_too_;
  std::vector<const char*> names_;
};

template <class Row>
std::string put_sql(const char* verb, const char* table) {
  Columns columns(true);
  Row::fields(columns);
  return fmt::format("{} INTO {}({}) VALUES({})", verb, table, columns.list(), columns.places());
}

template <class Row>
std::string select_sql(const char* table, const char* which) {
  Columns columns(false);
  Row::fields(columns);
  return fmt::format("SELECT {} FROM {} {}", columns.list(), table, which);
}

/// "name=?3, ..." for what can change; the key is parameter 1.
class Assignments {
 public:
  void key(const char* name) { key_ = name; }
  void fixed(const char*) {}
  void shown(const char*) {}
  void changing(const char* name) { parts_.push_back(fmt::format("{}=?{}", name, ++last_)); }
  /// One parameter says whether the other one counts.
  void data(const char* name) {
    parts_.push_back(fmt::format("{0}=iif(?{1}, ?{2}, {0})", name, last_ + 1, last_ + 2));
    last_ += 2;
  }
  std::string update(const char* table) const {
    return fmt::format("UPDATE {} SET {} WHERE {}=?1", table, fmt::join(parts_, ", "), key_);
  }

 private:
  const char* key_ = "";
  int last_ = 1;
  std::vector<std::string> parts_;
};

// ---- writing

/// Binds one value after the other.
class Values {
 public:
  Values(SQLite::Statement& sql, Texts& texts) : sql_(sql), texts_(texts) { sql_.reset(); }

 protected:
  void put(std::uint64_t number) { sql_.bind(++index_, static_cast<std::int64_t>(number)); }
  void put(std::uint32_t number) { sql_.bind(++index_, number); }
  void put(std::uint8_t number) { sql_.bind(++index_, int{number}); }
  void put(std::int8_t number) { sql_.bind(++index_, int{number}); }
  void put(int number) { sql_.bind(++index_, number); }
  void put(bool is) { sql_.bind(++index_, is ? 1 : 0); }
  void put(double number) { sql_.bind(++index_, number); }
  void put(TaskStatus status) { put(static_cast<int>(status)); }
  void put(ErrorCode code) { put(static_cast<int>(code)); }
  void put(const std::string& text) { sql_.bindNoCopy(++index_, text); }
  template <class Tag>
  void put(const TextId<Tag>& id) {
    put_text(id.str());
  }
  void put(const Digest& digest) {
    put_bytes({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  void put(const KeptSpec& spec) { put_bytes(spec.raw()); }
  void put(std::string_view text) { put_text(std::string(text)); }
  void put(const std::vector<IssuedAttempt>& attempts) { put_text(attempts_text(attempts)); }
  void put(const TaskLog& log) { put_text(log_text(log)); }
  void put(const ValueMap& map) { put_bytes(keep(encode_map(map))); }
  /// NULL for what is empty, or stands in blobs.
  void put(const Data& data) {
    if (data.empty() || data.size() > kInlineBytes || data.is_apart())
      sql_.bind(++index_);
    else
      put_bytes(data.view());
  }

 private:
  const std::string& keep(std::string text) { return texts_.at(used_++) = std::move(text); }
  void put_text(std::string text) { put(keep(std::move(text))); }
  void put_bytes(std::string_view bytes) {
    sql_.bindNoCopy(++index_, static_cast<const void*>(bytes.data()),
                    static_cast<int>(bytes.size()));
  }

  SQLite::Statement& sql_;
  Texts& texts_;
  int index_ = 0;
  std::size_t used_ = 0;
};

class WholeRow : public Values {
 public:
  using Values::Values;
  void key(const char*, const auto& value) { put(value); }
  void fixed(const char*, const auto& value) { put(value); }
  void shown(const char*, const auto& value) { put(value); }
  void changing(const char*, const auto& value) { put(value); }
  void data(const char*, const Data& value) { put(value); }
};

class ChangedRow : public Values {
 public:
  ChangedRow(SQLite::Statement& sql, Texts& texts, const Batch::Change& change)
      : Values(sql, texts), changes_{change.payload, change.result} {}
  void key(const char*, const auto& value) { put(value); }
  void fixed(const char*, const auto&) {}
  void shown(const char*, const auto&) {}
  void changing(const char*, const auto& value) { put(value); }
  void data(const char*, const Data& value) {
    const Batch::Data change = changes_.at(seen_++);
    put(change != Batch::Data::kKeep);
    put(change == Batch::Data::kSet ? value : Data());
  }

 private:
  const std::array<Batch::Data, 2> changes_;  // in the order of the fields
  std::size_t seen_ = 0;
};

// ---- reading

std::string_view bytes_of(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

[[noreturn]] void refuse(const SQLite::Column& column, std::string_view problem) {
  throw std::invalid_argument(fmt::format("{}: {}", column.getName(), problem));
}

template <class T>
T count_of(const SQLite::Column& column) {
  const std::uint64_t number = uint_of(column);
  if (number > std::numeric_limits<T>::max()) refuse(column, "too large");
  return static_cast<T>(number);
}

/// Takes one value after the other.
class Reader {
 public:
  explicit Reader(SQLite::Statement& row) : row_(row) {}
  void key(const char*, auto& value) { take(value, next()); }
  void fixed(const char*, auto& value) { take(value, next()); }
  void shown(const char*, const auto&) {}
  void changing(const char*, auto& value) { take(value, next()); }
  void data(const char*, auto& value) { take(value, next()); }

 private:
  SQLite::Column next() { return row_.getColumn(index_++); }

  static void take(std::uint64_t& number, const SQLite::Column& from) { number = uint_of(from); }
  static void take(std::uint32_t& number, const SQLite::Column& from) {
    number = count_of<std::uint32_t>(from);
  }
  static void take(std::uint8_t& number, const SQLite::Column& from) {
    number = count_of<std::uint8_t>(from);
  }
  static void take(int& number, const SQLite::Column& from) { number = from.getInt(); }
  /// A number that does not fit becomes the least: it is refused as one that is out of range.
  static void take(std::int8_t& number, const SQLite::Column& from) {
    const int wide = from.getInt();
    const bool fits = wide >= INT8_MIN && wide <= INT8_MAX;
    number = static_cast<std::int8_t>(fits ? wide : INT8_MIN);
  }
  static void take(bool& is, const SQLite::Column& from) { is = from.getInt() != 0; }
  /// Infinities would spread to whatever is reckoned with them.
  static void take(double& number, const SQLite::Column& from) {
    constexpr double kLeast = -1e6;
    number = from.getDouble();
    if (from.isText() || from.isBlob() || !std::isfinite(number) || number < kLeast)
      refuse(from, "out of range");
  }
  static void take(std::string& text, const SQLite::Column& from) { text = from.getString(); }
  template <class Tag>
  static void take(TextId<Tag>& id, const SQLite::Column& from) {
    const auto parsed = TextId<Tag>::parse(from.getString());
    if (!parsed) refuse(from, "not an id");
    id = *parsed;
  }
  static void take(TaskStatus& status, const SQLite::Column& from) {
    const auto number = uint_of(from);
    if (number > kMaxTaskStatus) refuse(from, "no such status");
    status = static_cast<TaskStatus>(number);
  }
  static void take(ErrorCode& code, const SQLite::Column& from) {
    const auto known = error_code(uint_of(from));
    if (!known) refuse(from, "no such code");
    code = *known;
  }
  static void take(Digest& digest, const SQLite::Column& from) {
    const std::string_view bytes = bytes_of(from);
    if (bytes.size() != digest.size()) refuse(from, "wrong size");
    std::ranges::copy(bytes, digest.begin());
  }
  static void take(Data& data, const SQLite::Column& from) { data = Data(blob_of(from)); }
  static void take(KeptSpec& spec, const SQLite::Column& from) {
    spec = KeptSpec(checked(decode_spec(bytes_of(from)), from));
  }
  static void take(std::vector<IssuedAttempt>& attempts, const SQLite::Column& from) {
    attempts = checked(parse_attempts(from.getString()), from);
  }
  static void take(TaskLog& log, const SQLite::Column& from) {
    log = checked(parse_log(from.getString()), from);
  }
  static void take(ValueMap& map, const SQLite::Column& from) {
    map = checked(decode_map(bytes_of(from)), from);
  }
  template <class T>
  static T checked(Expected<T> value, const SQLite::Column& from) {
    if (!value) refuse(from, value.error().detail);
    return std::move(*value);
  }

  SQLite::Statement& row_;
  int index_ = 0;
};

template <class Row>
Row read(SQLite::Statement& row) {
  Row read;
  Reader reader(row);
  Row::fields(reader, read);
  return read;
}

/// What is wrong between the fields of a task; empty: nothing.
std::string_view problem_of(const TaskRecord& task) {
  if (task.priority_override < -1 || task.priority_override > limits::kMaxPriority)
    return "priority: no such priority";
  if (task.log.empty() || task.log.last_status() != task.status)
    return "log: does not end with the status";
  if (is_terminal(task.status) != (task.ended_ms != 0))
    return "ended_ms: does not go with the status";
  if (task.is_assigned() && task.current == 0) return "current: assigned without one";
  if (std::ranges::adjacent_find(task.issued, std::greater_equal<>(), &IssuedAttempt::number) !=
      task.issued.end())
    return "attempts: not in order";
  if (task.current != 0 && !task.attempt(task.current)) return "current: no such attempt";
  return {};
}

}  // namespace

std::string insert_task_sql() { return put_sql<TaskRecord>("INSERT", "tasks"); }
std::string update_task_sql() {
  Assignments assignments;
  TaskRecord::fields(assignments);
  return assignments.update("tasks");
}
std::string select_tasks_sql() {
  return select_sql<TaskRecord>("tasks", "WHERE sequence > ? AND sequence <= ? ORDER BY sequence");
}
std::string put_node_sql() { return put_sql<NodeRow>("INSERT OR REPLACE", "nodes"); }
std::string put_measure_sql() { return put_sql<MeasureRow>("INSERT OR REPLACE", "measures"); }
std::string select_nodes_sql() { return select_sql<NodeRow>("nodes", "ORDER BY node_id"); }
std::string select_measures_sql() {
  return select_sql<MeasureRow>("measures", "ORDER BY node_id, model, size");
}

void bind_insert(SQLite::Statement& insert, const TaskRecord& task, Texts& texts) {
  WholeRow row(insert, texts);
  TaskRecord::fields(row, task);
}

void bind_update(SQLite::Statement& update, const Batch::Change& change, Texts& texts) {
  ChangedRow row(update, texts, change);
  TaskRecord::fields(row, change.record);
}

std::string put_large_sql() {
  return "INSERT INTO large(key, segment, at, bytes, digest) VALUES(?, ?, ?, ?, ?)";
}
std::string select_large_sql() { return "SELECT key, segment, at, bytes, digest FROM large"; }

void bind_large(SQLite::Statement& put, DataKey key, const Extent& extent) {
  put.reset();
  int index = 0;
  for (const std::uint64_t number : {key, extent.segment, extent.at, extent.bytes})
    put.bind(++index, static_cast<std::int64_t>(number));
  put.bind(++index, extent.digest.data(), static_cast<int>(extent.digest.size()));
}

std::pair<DataKey, Extent> read_large(SQLite::Statement& row) {
  Extent extent{
      uint_of(row.getColumn(1)), uint_of(row.getColumn(2)), uint_of(row.getColumn(3)), {}};
  if (extent.bytes == 0 || extent.bytes > INT64_MAX - extent.at)
    refuse(row.getColumn(3), "out of range");
  const SQLite::Column digest = row.getColumn(4);
  if (bytes_of(digest).size() != extent.digest.size()) refuse(digest, "wrong size");
  std::ranges::copy(bytes_of(digest), extent.digest.begin());
  return {uint_of(row.getColumn(0)), extent};
}

void bind_node(SQLite::Statement& put, const NodeRow& node, Texts& texts) {
  WholeRow row(put, texts);
  NodeRow::fields(row, node);
}

void bind_measure(SQLite::Statement& put, const MeasureRow& measure, Texts& texts) {
  WholeRow row(put, texts);
  MeasureRow::fields(row, measure);
}

Blob blob_of(const SQLite::Column& column) {
  return column.isNull() ? Blob() : Blob(std::string(bytes_of(column)));
}

std::uint64_t uint_of(const SQLite::Column& column) {
  const std::int64_t number = column.getInt64();
  if (number < 0) refuse(column, "negative");
  return static_cast<std::uint64_t>(number);
}

TaskRecord read_task(SQLite::Statement& row) {
  TaskRecord task = read<TaskRecord>(row);
  if (const auto problem = problem_of(task); !problem.empty())
    throw std::invalid_argument(std::string(problem));
  return task;
}

NodeRow read_node(SQLite::Statement& row) { return read<NodeRow>(row); }

MeasureRow read_measure(SQLite::Statement& row) {
  const MeasureRow measure = read<MeasureRow>(row);
  for (const double figure : {measure.runs, measure.run_variance, measure.loads,
                              measure.load_variance, measure.good, measure.bad})
    if (figure < 0) throw std::invalid_argument("a count or variance is negative");
  return measure;
}

}  // namespace genai::dispatcher::store
