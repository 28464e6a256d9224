#include "tools/node/result_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "protocol/base/bundle.h"
#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/wire/encoded_size.h"
#include "tools/values/param_value.h"

namespace genai::node {
namespace {

constexpr std::size_t kRoomForOtherKeys = 1024;  // run_ms, content_type, ...

/// Whether the bytes stand one behind the other in the memory of one owner.
bool are_joined(const std::vector<ResultFile>& files) {
  const ResultFile* last = nullptr;
  for (const ResultFile& file : files) {
    if (file.data.empty()) continue;
    if (last && (last->data.owner() != file.data.owner() ||
                 last->data.data() + last->data.size() != file.data.data()))
      return false;
    last = &file;
  }
  return true;
}

std::uint64_t bytes_of(const TaskResult& result) {
  if (result.files.empty()) return result.data.size();
  std::uint64_t bytes = 0;
  for (const ResultFile& file : result.files) bytes += file.data.size();
  return bytes;
}

BundleFiles list_of(const std::vector<ResultFile>& files) {
  BundleFiles list;
  for (const ResultFile& file : files)
    list.push_back(
        {file.name, file.content_type, file.data.size(), values::map_from(file.metadata)});
  return list;
}

/// What nobody could decode. A node would repeat such a result for ever.
std::optional<std::string> metadata_problem(const ResultFile& file) {
  const auto problem = [&](const std::string& key, const char* what) {
    return fmt::format("file '{}': its metadata '{}' {}", file.name, clip_text(key, 64), what);
  };
  if (file.metadata.size() + 3 > limits::kMaxMapEntries)
    return fmt::format("file '{}': it has too much metadata", file.name);
  for (const auto& [key, value] : file.metadata) {
    if (key.size() > limits::kMaxNameBytes || !is_valid_utf8(key))
      return problem(key, "is no key: UTF-8 of at most 128 bytes");
    const auto* text = std::get_if<std::string>(&value);
    const auto* number = std::get_if<double>(&value);
    if (text && !is_valid_utf8(*text)) return problem(key, "is not UTF-8");
    if (number && !std::isfinite(*number)) return problem(key, "is not a finite number");
  }
  return std::nullopt;
}

std::optional<TaskResult> replacement_of_files(const std::vector<ResultFile>& files) {
  if (files.size() > kMaxBundleFiles)
    return TaskResult::too_large(
        fmt::format("the result has {} files, the limit is {}", files.size(), kMaxBundleFiles));
  const BundleFiles list = list_of(files);
  if (auto problem = files_problem(list)) return TaskResult::error(std::move(*problem));
  for (const ResultFile& file : files)
    if (auto problem = metadata_problem(file)) return TaskResult::error(std::move(*problem));
  const std::size_t bytes = wire::encoded_size(files_value(list));
  if (bytes + kRoomForOtherKeys > limits::kMaxResultInfoBytes)
    return TaskResult::too_large(
        fmt::format("the names and the metadata of the files take {} bytes, the limit is {}", bytes,
                    limits::kMaxResultInfoBytes - kRoomForOtherKeys));
  return std::nullopt;
}

}  // namespace

Blob join(std::vector<ResultFile>& files) {
  std::size_t bytes = 0;
  for (const ResultFile& file : files) bytes += file.data.size();
  const auto first =
      std::ranges::find_if(files, [](const ResultFile& f) { return !f.data.empty(); });
  if (first == files.end()) return {};
  if (are_joined(files))
    return Blob(first->data.owner(), std::string_view(first->data.data(), bytes));
  std::string whole;
  whole.reserve(bytes);
  for (const ResultFile& file : files) whole += file.data.view();
  const Data all(std::move(whole));
  std::size_t begin = 0;
  for (ResultFile& file : files) {
    const std::size_t size = file.data.size();
    file.data = Data(all.owner(), all.view().substr(begin, size));
    begin += size;
  }
  return Blob(all.owner(), all.view());
}

std::optional<TaskResult> replacement(const TaskResult& result) {
  if (const std::uint64_t bytes = bytes_of(result); bytes > kMaxResultBytes)
    return TaskResult::too_large(
        fmt::format("the result has {} bytes, the limit is {}", bytes, kMaxResultBytes));
  return replacement_of_files(result.files);
}

void fill(TaskResult result, msg::Result::Entry& entry) {
  std::string content_type = std::move(result.content_type);
  if (result.files.empty()) {
    entry.data = Blob(std::move(result.data));
  } else {
    // What a client that knows no files would say of several together, is nothing.
    content_type = result.files.size() == 1 ? result.files.front().content_type : std::string();
    entry.info[std::string(kFilesKey)] = files_value(list_of(result.files));
    entry.data = join(result.files);
  }
  if (!content_type.empty())
    entry.info["content_type"] = clip_text(content_type, limits::kMaxNameBytes);
}

}  // namespace genai::node
