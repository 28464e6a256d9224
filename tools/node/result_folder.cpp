#include "tools/node/result_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "protocol/base/bundle.h"
#include "protocol/base/content_type.h"
#include "protocol/base/descriptor.h"
#include "protocol/base/limits.h"

namespace genai::node {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMetaSuffix = ".meta.json";
constexpr std::size_t kMaxEntriesSeen = 100'000;            // of any kind, in all folders
constexpr std::size_t kMaxFilesSeen = 2 * kMaxBundleFiles;  // each may have its metadata
constexpr std::size_t kMaxMetadataBytes = limits::kMaxResultInfoBytes;

/// A regular file, open for reading.
struct Found {
  Descriptor fd;
  std::size_t bytes = 0;
};

/// Walks a folder that no program changes any more.
class Walk {
 public:
  explicit Walk(std::map<std::string, std::size_t>& files) : files_(files) {}

  /// Notes the files below the folder, under `prefix` and their names. Closes `fd`.
  void folder(int fd, const std::string& prefix, std::size_t depth) {
    if (depth > kMaxBundleNameParts)
      throw WrongResult(fmt::format("the folder '{}' of the result is too deep: at most {} levels",
                                    prefix, kMaxBundleNameParts - 1));
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(fd), closedir);
    if (!dir) {
      close(fd);
      cannot_read("the result folder", errno);
    }
    while (const dirent* found = readdir(dir.get())) {
      if (found->d_name[0] == '.') continue;
      if (++seen_ > kMaxEntriesSeen)
        throw ResultTooLarge(
            fmt::format("the result folder has more than {} entries", kMaxEntriesSeen));
      entry(dirfd(dir.get()), found->d_name, prefix, depth);
    }
  }

 private:
  void entry(int dir, const char* name, const std::string& prefix, std::size_t depth) {
    struct stat info {};
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;  // it is gone
    std::string path = prefix + name;
    if (S_ISREG(info.st_mode)) {
      files_.emplace(std::move(path), static_cast<std::size_t>(info.st_size));
      if (files_.size() > kMaxFilesSeen)
        throw ResultTooLarge(fmt::format("the result has more than {} files", kMaxBundleFiles));
    } else if (S_ISDIR(info.st_mode)) {
      const int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0) cannot_read("the folder '" + path + "' of the result", errno);
      folder(fd, path + "/", depth + 1);
    }
  }

  std::map<std::string, std::size_t>& files_;
  std::size_t seen_ = 0;
};

/// Opens a file of the walk, which is still a regular one.
Found open_file(int folder, const std::string& name) {
  Found found;
  found.fd = Descriptor(
      openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (found.fd.get() < 0 || fstat(found.fd.get(), &info) != 0)
    cannot_read("the file '" + name + "' of the result", errno);
  if (!S_ISREG(info.st_mode)) throw WrongResult("'" + name + "' is not a regular file");
  found.bytes = static_cast<std::size_t>(info.st_size);
  return found;
}

std::optional<Param> param_from(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return number <= INT64_MAX ? Param(static_cast<std::int64_t>(number)) : Param(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  return value.dump();
}

/// A JSON object, not deeper than an open map may be.
std::optional<Json> object_from(const std::string& text) {
  bool is_too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t, Json&) {
    is_too_deep |= depth > static_cast<int>(limits::kMaxDepth);
    return !is_too_deep;
  };
  const Json json = Json::parse(text, check, false);
  if (is_too_deep || !json.is_object()) return std::nullopt;
  return json;
}

void add_metadata(int folder, const std::string& name, ResultFile& file) {
  const Found found = open_file(folder, name);
  if (found.bytes > kMaxMetadataBytes)
    throw ResultTooLarge(
        fmt::format("the metadata '{}' has more than {} bytes", name, kMaxMetadataBytes));
  std::string text;
  append_from(found.fd.get(), found.bytes, text);
  const auto json = object_from(text);
  if (!json) throw WrongResult("'" + name + "' is not a JSON object");
  for (const auto& [key, value] : json->items()) {
    if (key == "content_type" && value.is_string())
      file.content_type = value.get<std::string>();
    else if (key != "name" && key != "bytes" && key != "content_type")
      file.metadata.emplace(key, *param_from(value));
  }
}

/// The name of the file whose metadata this file is, if that file is there.
std::optional<std::string> described_by(const std::string& name,
                                        const std::map<std::string, std::size_t>& files) {
  if (!name.ends_with(kMetaSuffix)) return std::nullopt;
  std::string described = name.substr(0, name.size() - kMetaSuffix.size());
  if (!files.contains(described) || described_by(described, files)) return std::nullopt;
  return described;
}

using Sizes = std::map<std::string, std::size_t>;

/// The files without the metadata, none of which passes a limit: nothing has been read before.
Sizes content_of(const Sizes& seen) {
  Sizes files;
  std::size_t bytes = 0;
  for (const auto& [name, size] : seen) {
    if (described_by(name, seen)) continue;
    if (const auto problem = file_name_problem(name))
      throw WrongResult("the name of the file '" + name + "' of the result " + *problem);
    files.emplace(name, size);
    if (size > kMaxResultBytes || (bytes += size) > kMaxResultBytes)
      throw ResultTooLarge(
          fmt::format("the result is larger than the limit of {} bytes", kMaxResultBytes));
  }
  if (files.size() > kMaxBundleFiles)
    throw ResultTooLarge(
        fmt::format("the result has {} files, the limit is {}", files.size(), kMaxBundleFiles));
  return files;
}

std::string type_of(const ResultFile& file, const std::string& other_type) {
  const std::string_view guess = guess_type(file.name, file.data);
  return guess == kUnknownType && !other_type.empty() ? other_type : std::string(guess);
}

}  // namespace

void cannot_read(const std::string& what, int error) {
  const std::string text = "cannot read " + what;
  if (error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO)
    throw std::system_error(error, std::generic_category(), text);
  throw WrongResult(text + ": " + strerror(error));
}

void append_from(int fd, std::size_t bytes, std::string& out) {
  std::size_t used = out.size();
  out.resize(used + bytes);
  while (used < out.size()) {
    const ssize_t got = read(fd, out.data() + used, out.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "cannot read the result");
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  out.resize(used);
}

std::vector<ResultFile> read_result_folder(const std::string& folder,
                                           const std::string& other_type) {
  const Descriptor top(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (top.get() < 0 && errno == ENOENT) return {};
  const int walked = top.get() < 0 ? -1 : fcntl(top.get(), F_DUPFD_CLOEXEC, 0);
  if (walked < 0) cannot_read("the result folder", errno);
  Sizes seen;
  Walk(seen).folder(walked, {}, 1);
  const Sizes content = content_of(seen);

  std::string whole;
  std::size_t bytes = 0;
  for (const auto& [name, size] : content) bytes += size;
  whole.reserve(bytes);
  std::vector<ResultFile> files;
  std::vector<std::size_t> ends;
  for (const auto& [name, size] : content) {
    const Found found = open_file(top.get(), name);
    append_from(found.fd.get(), std::min(found.bytes, size), whole);
    ends.push_back(whole.size());
    ResultFile& file = files.emplace_back();
    file.name = name;
    if (const std::string meta = name + std::string(kMetaSuffix); seen.contains(meta))
      add_metadata(top.get(), meta, file);
  }
  const Data all(std::move(whole));
  for (std::size_t i = 0, begin = 0; i < files.size(); begin = ends[i++]) {
    files[i].data = Data(all.owner(), all.view().substr(begin, ends[i] - begin));
    if (files[i].content_type.empty()) files[i].content_type = type_of(files[i], other_type);
  }
  return files;
}

}  // namespace genai::node
