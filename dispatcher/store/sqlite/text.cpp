#include "dispatcher/store/sqlite/text.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "protocol/base/hex.h"

namespace genai::dispatcher::store {
namespace {

using Json = nlohmann::json;

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// A JSON string. Most texts can be copied as they are: each commit writes some for every task.
void append_quoted(std::string& out, std::string_view text) {
  const auto plain = [](char c) {
    return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
  };
  if (!std::ranges::all_of(text, plain)) {
    out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

SessionId parse_session(const std::string& hex) {
  SessionId::Bytes bytes{};
  std::size_t size = 0;
  const int bad =
      sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &size, nullptr);
  if (bad != 0 || size != bytes.size()) throw std::invalid_argument("not a session: " + hex);
  return SessionId(bytes);
}

NodeId parse_node(const std::string& text) {
  if (text.empty()) return {};
  const auto node = NodeId::parse(text);
  if (!node) throw std::invalid_argument("not a node id: " + text);
  return *node;
}

/// A whole number that T holds: the library would round or wrap any other.
template <class T>
T number(const Json& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<T>::max())
    throw std::invalid_argument("a number of the wrong kind or size");
  return value.get<T>();
}

/// The entries of a JSON array of arrays of `least` to `most` values, each through `read`.
template <class T, class Read>
Expected<std::vector<T>> parse_rows(std::string_view text, std::size_t least, std::size_t most,
                                    Read read) {
  try {
    std::vector<T> rows;
    for (const Json& row : Json::parse(text)) {
      if (!row.is_array() || row.size() < least || row.size() > most)
        throw std::invalid_argument("a row of wrong size");
      rows.push_back(read(row));
    }
    return rows;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kMalformed, error.what());
  }
}

}  // namespace

std::string log_text(const TaskLog& log) {
  std::string out = "[";
  out.reserve(2 * log.bytes());
  for (auto it = log.begin(); it != log.end(); ++it) {
    const LogView entry = it.view();
    out += out.size() > 1 ? ",[" : "[";
    append_number(out, entry.at_ms);
    out += ',';
    append_number(out, static_cast<unsigned>(entry.status));
    out += ',';
    append_quoted(out, entry.reason);
    out += ',';
    append_quoted(out, entry.node_id);
    out += ',';
    append_number(out, entry.attempt);
    out += ']';
  }
  out += ']';
  return out;
}

Expected<TaskLog> parse_log(std::string_view text) {
  const auto entries = parse_rows<LogEntry>(text, 5, 5, [](const Json& row) {
    const auto status = number<std::uint8_t>(row[1]);
    if (status > kMaxTaskStatus) throw std::invalid_argument("not a status");
    return LogEntry{number<std::uint64_t>(row[0]), static_cast<TaskStatus>(status),
                    row[2].get<std::string>(), parse_node(row[3].get<std::string>()),
                    number<std::uint32_t>(row[4])};
  });
  if (!entries) return tl::unexpected(entries.error());
  TaskLog log;
  for (const LogEntry& entry : *entries) log.push_back(entry);
  return log;
}

std::string attempts_text(const std::vector<IssuedAttempt>& attempts) {
  std::string out = "[";
  for (const IssuedAttempt& a : attempts) {
    out += out.size() > 1 ? ",[" : "[";
    append_number(out, a.number);
    out += ',';
    append_number(out, a.epoch);
    out += ",\"";
    append_hex(out, a.session.view());
    out += "\",";
    append_quoted(out, a.node_id.view());
    out += a.failed ? ",1" : ",0";
    out += a.open ? ",1" : ",0";
    out += a.drained ? ",1]" : ",0]";
  }
  out += ']';
  return out;
}

Expected<std::vector<IssuedAttempt>> parse_attempts(std::string_view text) {
  return parse_rows<IssuedAttempt>(text, 6, 7, [](const Json& row) {
    return IssuedAttempt{number<std::uint32_t>(row[0]),
                         number<std::uint64_t>(row[1]),
                         parse_session(row[2].get<std::string>()),
                         parse_node(row[3].get<std::string>()),
                         number<std::uint8_t>(row[4]) != 0,
                         number<std::uint8_t>(row[5]) != 0,
                         row.size() > 6 && number<std::uint8_t>(row[6]) != 0};
  });
}

}  // namespace genai::dispatcher::store
