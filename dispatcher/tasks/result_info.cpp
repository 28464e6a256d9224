#include "dispatcher/tasks/result_info.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "dispatcher/tasks/limits.h"
#include "protocol/base/bundle.h"
#include "protocol/base/limits.h"
#include "protocol/base/text.h"

namespace genai::dispatcher {
namespace {

// Of the memory that the list of the files may take, beside kMaxKept. Entries of maps take the
// most.
constexpr std::size_t kMaxKeptFiles = 16 * limits::kMaxResultInfoBytes;

constexpr std::array<std::string_view, 5> kOwn = {"attempts", "node_id", "total_ms", "queued_ms",
                                                  kResultDropped};

bool is_uint(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value.v);
  return (number && *number >= 0) || std::holds_alternative<std::uint64_t>(value.v);
}
bool is_code(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value.v);
  return number && *number >= 0 && *number <= UINT16_MAX;
}
bool is_int(const Value& value) { return std::holds_alternative<std::int64_t>(value.v); }
bool is_text(const Value& value) { return std::holds_alternative<std::string>(value.v); }

std::size_t memory_of(const Value& value) {
  std::size_t bytes = sizeof(Value);
  if (const auto* text = std::get_if<std::string>(&value.v)) bytes += text->size();
  if (const auto* data = std::get_if<Bytes>(&value.v)) bytes += data->data.size();
  if (const auto* map = std::get_if<ValueMap>(&value.v)) bytes += dispatcher::memory_of(*map);
  if (const auto* list = std::get_if<ValueList>(&value.v))
    for (const Value& element : *list) bytes += memory_of(element);
  return bytes;
}

/// Only its size matters here: what is wrong in it, each reader finds.
bool is_files(const Value& value) {
  const auto* list = std::get_if<ValueList>(&value.v);
  return list && !list->empty() && list->size() <= kMaxBundleFiles &&
         std::ranges::all_of(
             *list, [](const Value& v) { return std::holds_alternative<ValueMap>(v.v); }) &&
         memory_of(value) <= kMaxKeptFiles;
}

struct NodesKey {
  std::string_view key;
  bool (*fits)(const Value&);
};
constexpr std::array<NodesKey, 7> kOfNodes = {{{"run_ms", is_uint},
                                               {"load_ms", is_uint},
                                               {"error", is_text},
                                               {"exit_code", is_int},
                                               {"content_type", is_text},
                                               {kFilesKey, is_files},
                                               {"code", is_code}}};

bool is_own(std::string_view key) { return std::ranges::find(kOwn, key) != kOwn.end(); }
bool is_known(std::string_view key) {
  return is_own(key) || std::ranges::find(kOfNodes, key, &NodesKey::key) != kOfNodes.end();
}

bool is_nested(const Value& value) {
  return std::holds_alternative<ValueList>(value.v) || std::holds_alternative<ValueMap>(value.v);
}

/// The order of the others stays.
template <class Predicate>
void drop_if(ValueMap& info, Predicate predicate) {
  info.erase(std::remove_if(info.begin(), info.end(), predicate), info.end());
}

void drop_unknown(ValueMap& info) {
  drop_if(info,
          [](const auto& entry) { return !is_known(entry.first) || is_nested(entry.second); });
}

/// Calls `enter` with each of our own keys, in their order, and its value. Those of a task of an
/// earlier process are in its info.
template <class Enter>
void each_own(const Task& task, Enter enter) {
  if (!is_terminal(task.status) || task.is_told_whole) return;
  enter("attempts", task.issued.empty() ? 0u : task.issued.back().number);
  if (const IssuedAttempt* by = task.attempt(task.ended_by)) enter("node_id", by->node_id.view());
  if (task.acknowledged_at != Duration{0})
    enter("queued_ms", to_ms(task.acknowledged_at - task.accepted_at));
  enter("total_ms", to_ms(task.ended_at - task.accepted_at));
}

ValueMap map_of(ValueMap::sequence_type in_order) {
  ValueMap map;
  map.adopt_sequence(boost::container::ordered_unique_range, std::move(in_order));
  return map;
}

}  // namespace

bool is_scalar(const Value& value) {
  return !is_nested(value) && !std::holds_alternative<std::string>(value.v) &&
         !std::holds_alternative<Bytes>(value.v);
}

std::size_t memory_of(const ValueMap& map) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : map) bytes += sizeof(key) + key.size() + memory_of(value);
  return bytes;
}

std::string drop_mistyped(ValueMap& info) {
  std::string dropped;
  drop_if(info, [&](const auto& entry) {
    const auto known = std::ranges::find(kOfNodes, std::string_view(entry.first), &NodesKey::key);
    if (known == kOfNodes.end() || known->fits(entry.second)) return false;
    dropped += (dropped.empty() ? "" : ", ") + entry.first;
    return true;
  });
  return dropped;
}

void trim_info(ValueMap& info) {
  constexpr std::size_t kMaxKeys = limits::kMaxMapEntries / 2;
  drop_if(info, [](const auto& entry) { return is_own(entry.first); });
  std::size_t more = info.size() - std::min(info.size(), kMaxKeys);
  if (more == 0) return;
  drop_if(info, [&](const auto& entry) {
    const bool goes = more > 0 && !is_known(entry.first);
    more -= goes;
    return goes;
  });
}

ValueMap own_info(const Task& task) {
  ValueMap::sequence_type entries;
  each_own(task, [&](std::string_view key, auto value) { entries.emplace_back(key, value); });
  return map_of(std::move(entries));
}

ValueMap told_info(const Task& task) {
  ValueMap::sequence_type entries;
  entries.reserve(task.info.size() + kOwn.size());
  auto said = task.info.begin();
  each_own(task, [&](std::string_view key, auto value) {
    for (; said != task.info.end() && said->first < key; ++said) entries.push_back(*said);
    entries.emplace_back(key, value);
  });
  entries.insert(entries.end(), said, task.info.end());
  return map_of(std::move(entries));
}

void bound_info(ValueMap& info) {
  const auto files = info.find(kFilesKey);
  if (files == info.end()) {
    if (memory_of(info) > kMaxKept) drop_unknown(info);
    return;
  }
  Value kept = std::move(files->second);  // bounded by itself
  info.erase(files);
  bound_info(info);
  info.emplace(kFilesKey, std::move(kept));
}

void keep_known_info(ValueMap& info) {
  drop_unknown(info);
  for (auto& [key, value] : info)
    if (auto* text = std::get_if<std::string>(&value.v);
        text && text->size() > limits::kMaxTextBytes)
      *text = clip_text(*text);
}

}  // namespace genai::dispatcher
