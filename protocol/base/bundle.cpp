#include "protocol/base/bundle.h"

#include <algorithm>
#include <set>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"

namespace genai {
namespace {

constexpr std::string_view kName = "name", kContentType = "content_type", kBytes = "bytes";

std::string quoted(std::string_view text) { return '\'' + clip_text(text, 64) + '\''; }

bool has_control_characters(std::string_view utf8) {
  const auto is_c0 = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(utf8, is_c0)) return true;
  // U+0080 to U+009F.
  for (std::size_t at = 0; (at = utf8.find('\xc2', at)) != utf8.npos; ++at)
    if (at + 1 < utf8.size() && static_cast<unsigned char>(utf8[at + 1]) < 0xa0) return true;
  return false;
}

/// With small letters for A to Z: what a file system that ignores case takes for one name.
std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Refuses a second file of a name, and a file whose name is a folder of another one.
class Names {
 public:
  std::optional<std::string> add(const std::string& name) {
    const std::string own = folded(name);
    if (folders_.contains(own)) return "file " + quoted(name) + ": the name is also a folder";
    if (!files_.insert(own).second) return "file " + quoted(name) + ": a second one of this name";
    for (std::size_t end = 0; (end = own.find('/', end)) != own.npos; ++end) {
      std::string folder = own.substr(0, end);
      if (files_.contains(folder)) return "file " + quoted(name) + ": its folder is also a file";
      folders_.insert(std::move(folder));
    }
    return std::nullopt;
  }

 private:
  std::set<std::string> files_, folders_;
};

/// The one file that an entry of the list describes, or what is wrong with the entry.
tl::expected<BundleFile, std::string> file_from(const Value& entry) {
  const auto* map = std::get_if<ValueMap>(&entry.v);
  if (!map) return tl::unexpected<std::string>("an entry is no map");
  BundleFile file;
  bool has_name = false, has_bytes = false;
  for (const auto& [key, value] : *map) {
    const auto* text = std::get_if<std::string>(&value.v);
    const auto* number = std::get_if<std::int64_t>(&value.v);
    if (key == kName) {
      if (!text) return tl::unexpected<std::string>("a name is no text");
      file.name = *text;
      has_name = true;
    } else if (key == kContentType) {
      if (!text) return tl::unexpected<std::string>("a content_type is no text");
      file.content_type = *text;
    } else if (key == kBytes) {
      if (!number || *number < 0) return tl::unexpected<std::string>("bytes is no number of bytes");
      file.bytes = static_cast<std::uint64_t>(*number);
      has_bytes = true;
    } else {
      file.metadata.emplace(key, value);
    }
  }
  if (!has_name || !has_bytes) return tl::unexpected<std::string>("name or bytes is missing");
  return file;
}

std::optional<std::string> part_problem(std::string_view part) {
  if (part.empty()) return "has an empty part";
  if (part == "." || part == "..") return "has a part '.' or '..'";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> file_name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxBundleNameBytes)
    return "has more than " + std::to_string(kMaxBundleNameBytes) + " bytes";
  if (!is_valid_utf8(name)) return "is not UTF-8";
  if (has_control_characters(name)) return "has a control character";
  if (name.find('\\') != name.npos) return "has a backslash";
  if (name.front() == '/') return "begins with '/'";
  std::size_t parts = 0;
  for (std::size_t begin = 0; begin <= name.size(); ++parts) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (auto problem = part_problem(name.substr(begin, end - begin))) return problem;
    begin = end + 1;
  }
  if (parts > kMaxBundleNameParts)
    return "has more than " + std::to_string(kMaxBundleNameParts) + " parts";
  return std::nullopt;
}

std::optional<std::string> files_problem(const BundleFiles& files) {
  if (files.size() > kMaxBundleFiles)
    return std::to_string(files.size()) + " files, the limit is " + std::to_string(kMaxBundleFiles);
  Names names;
  for (const BundleFile& file : files) {
    if (const auto problem = file_name_problem(file.name))
      return "file " + quoted(file.name) + ": its name " + *problem;
    if (file.content_type.size() > limits::kMaxNameBytes || !is_valid_utf8(file.content_type) ||
        has_control_characters(file.content_type))
      return "file " + quoted(file.name) + ": its content_type is no MIME type";
    if (auto problem = names.add(file.name)) return problem;
  }
  return std::nullopt;
}

Expected<BundleFiles> read_files(const ValueMap& info, std::uint64_t data_bytes) {
  const auto found = info.find(kFilesKey);
  if (found == info.end()) return {};
  const auto* list = std::get_if<ValueList>(&found->second.v);
  if (!list || list->empty()) return fail(ErrorCode::kBadField, "files: no list, or an empty one");
  if (list->size() > kMaxBundleFiles) return fail(ErrorCode::kBadField, "files: too many");
  BundleFiles files;
  std::uint64_t used = 0;
  for (const Value& entry : *list) {
    auto file = file_from(entry);
    if (!file) return fail(ErrorCode::kBadField, "files: " + file.error());
    file->begin = used;
    if (file->bytes > data_bytes - used)
      return fail(ErrorCode::kBadField, "files: they have more bytes than the data");
    used += file->bytes;
    files.push_back(std::move(*file));
  }
  if (used != data_bytes)
    return fail(ErrorCode::kBadField, "files: they have fewer bytes than the data");
  if (const auto problem = files_problem(files)) return fail(ErrorCode::kBadField, *problem);
  return files;
}

Value files_value(const BundleFiles& files) {
  ValueList list;
  for (const BundleFile& file : files) {
    ValueMap entry = file.metadata;
    entry.erase(std::string(kContentType));
    entry[std::string(kName)] = file.name;
    entry[std::string(kBytes)] = file.bytes;
    if (!file.content_type.empty()) entry[std::string(kContentType)] = file.content_type;
    list.emplace_back(std::move(entry));
  }
  return list;
}

const BundleFile* find_file(const BundleFiles& files, std::string_view name) {
  const auto found = std::ranges::find(files, name, &BundleFile::name);
  return found == files.end() ? nullptr : &*found;
}

std::string_view slice(std::string_view data, const BundleFile& file) {
  return data.substr(file.begin, file.bytes);
}

}  // namespace genai
