#include "dispatcher/store/sqlite/sqlite_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

#include "dispatcher/store/sqlite/text.h"
#include "protocol/base/limits.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher::store {
namespace {

std::string_view bytes_of(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

std::uint32_t count_of(const SQLite::Column& column) {
  const std::uint64_t number = uint_of(column);
  if (number > UINT32_MAX)
    throw std::invalid_argument(fmt::format("{} too large", column.getName()));
  return static_cast<std::uint32_t>(number);
}

template <class T>
T checked(Expected<T> value, const char* column) {
  if (!value) throw std::invalid_argument(fmt::format("{}: {}", column, value.error().detail));
  return std::move(*value);
}

/// Infinities would spread to whatever is reckoned with them.
double real_of(const SQLite::Column& column, double least) {
  const double number = column.getDouble();
  if (column.isText() || column.isBlob() || !std::isfinite(number) || number < least)
    throw std::invalid_argument(fmt::format("{}: out of range", column.getName()));
  return number;
}

}  // namespace

Blob blob_of(const SQLite::Column& column) {
  return column.isNull() ? Blob() : Blob(std::string(bytes_of(column)));
}

std::uint64_t uint_of(const SQLite::Column& column) {
  const std::int64_t number = column.getInt64();
  if (number < 0) throw std::invalid_argument(fmt::format("{} is negative", column.getName()));
  return static_cast<std::uint64_t>(number);
}

TaskRecord read_task(SQLite::Statement& row) {
  TaskRecord task;
  task.sequence = uint_of(row.getColumn(0));
  const auto id = TaskId::parse(row.getColumn(1).getString());
  if (!id) throw std::invalid_argument("task_id: not an id");
  task.id = *id;
  const std::string_view digest = bytes_of(row.getColumn(2));
  if (digest.size() != task.digest.size()) throw std::invalid_argument("digest: wrong size");
  std::copy(digest.begin(), digest.end(), task.digest.begin());
  task.spec = checked(decode_spec(bytes_of(row.getColumn(3))), "spec");
  task.created_ms = uint_of(row.getColumn(4));
  const std::uint32_t status = count_of(row.getColumn(5));
  if (status > kMaxTaskStatus) throw std::invalid_argument("status: no such status");
  task.status = static_cast<TaskStatus>(status);
  task.current = count_of(row.getColumn(6));
  task.faults = count_of(row.getColumn(7));
  task.losses = count_of(row.getColumn(8));
  task.drains = count_of(row.getColumn(9));
  task.issued = checked(parse_attempts(row.getColumn(10).getString()), "attempts");
  task.log = checked(parse_log(row.getColumn(11).getString()), "log");
  const auto code = error_code(uint_of(row.getColumn(12)));
  if (!code) throw std::invalid_argument("code: no such code");
  task.code = *code;
  task.info = checked(decode_map(bytes_of(row.getColumn(13))), "info");
  task.ended_ms = uint_of(row.getColumn(14));
  task.fetched = row.getColumn(15).getInt() != 0;
  task.payload = blob_of(row.getColumn(16));
  task.result = blob_of(row.getColumn(17));
  task.priority = row.getColumn(18).getInt();
  if (task.priority < -1 || task.priority > limits::kMaxPriority)
    throw std::invalid_argument("priority: no such priority");
  if (task.log.empty() || task.log.last_status() != task.status)
    throw std::invalid_argument("log: does not end with the status");
  if (is_terminal(task.status) != (task.ended_ms != 0))
    throw std::invalid_argument("ended_ms: does not go with the status");
  const bool assigned = task.status == TaskStatus::kScheduled || task.status == TaskStatus::kSent;
  if (assigned && task.current == 0) throw std::invalid_argument("current: assigned without one");
  if (std::ranges::adjacent_find(task.issued, std::greater_equal<>(), &IssuedAttempt::number) !=
      task.issued.end())
    throw std::invalid_argument("attempts: not in order");
  const auto issued = [&](const IssuedAttempt& a) { return a.number == task.current; };
  if (task.current != 0 && std::ranges::none_of(task.issued, issued))
    throw std::invalid_argument("current: no such attempt");
  return task;
}

NodeRow read_node(SQLite::Statement& row) {
  const auto id = NodeId::parse(row.getColumn(0).getString());
  if (!id) throw std::invalid_argument("not a node id");
  return {*id,
          row.getColumn(1).getInt() != 0,
          uint_of(row.getColumn(2)),
          uint_of(row.getColumn(3)),
          uint_of(row.getColumn(4)),
          uint_of(row.getColumn(5))};
}

MeasureRow read_measure(SQLite::Statement& row) {
  constexpr double kAny = -1e6;
  MeasureRow measure;
  const auto id = NodeId::parse(row.getColumn(0).getString());
  if (!id) throw std::invalid_argument("not a node id");
  measure.node = *id;
  measure.model = row.getColumn(1).getString();
  const std::uint32_t size = count_of(row.getColumn(2));
  if (size > UINT8_MAX) throw std::invalid_argument("size: no such class");
  measure.size = static_cast<std::uint8_t>(size);
  measure.runs = real_of(row.getColumn(3), 0);
  measure.run_mean = real_of(row.getColumn(4), kAny);
  measure.run_variance = real_of(row.getColumn(5), 0);
  measure.loads = real_of(row.getColumn(6), 0);
  measure.load_mean = real_of(row.getColumn(7), kAny);
  measure.load_variance = real_of(row.getColumn(8), 0);
  measure.good = real_of(row.getColumn(9), 0);
  measure.bad = real_of(row.getColumn(10), 0);
  measure.lost = uint_of(row.getColumn(11));
  measure.updated_ms = uint_of(row.getColumn(12));
  return measure;
}

}  // namespace genai::dispatcher::store
