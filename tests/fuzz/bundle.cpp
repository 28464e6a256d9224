// Any bytes as the info of a result, whose list of files may say anything; and as a file of it.
#include "protocol/base/bundle.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "protocol/base/check.h"
#include "protocol/base/content_type.h"
#include "protocol/base/text.h"
#include "protocol/wire/codec.h"
#include "tools/ctl/safe_name.h"

using namespace genai;

namespace {

/// What a liar would say that the files have in all, around the end of the numbers if need be.
std::uint64_t claimed_bytes(const ValueMap& info) {
  std::uint64_t bytes = 0;
  for (const Value& entry : get_list(info, kFilesKey))
    if (const auto* map = std::get_if<ValueMap>(&entry.v)) bytes += get_uint(*map, "bytes");
  return bytes;
}

void check_path(const std::string& name) {
  GENAI_CHECK(!file_name_problem(name));
  const std::filesystem::path path = std::filesystem::path("/out/t-1") / ctl::safe_name(name);
  GENAI_CHECK(path == path.lexically_normal());
  GENAI_CHECK(path.string().starts_with("/out/t-1/") && is_valid_utf8(path.string()));
  for (const auto& part : path) GENAI_CHECK(part == "/" || !part.string().starts_with('.'));
}

void check_files(const ValueMap& info, std::uint64_t data_bytes) {
  const auto files = read_files(info, data_bytes);
  if (!files || files->empty()) return;
  GENAI_CHECK(files->size() <= kMaxBundleFiles);
  std::uint64_t end = 0;
  for (const BundleFile& file : *files) {
    GENAI_CHECK(file.begin == end && file.bytes <= data_bytes - end);
    end += file.bytes;
    check_path(file.name);
    GENAI_CHECK(find_file(*files, file.name) == &file);
  }
  GENAI_CHECK(end == data_bytes);
  const auto again = read_files({{std::string(kFilesKey), files_value(*files)}}, data_bytes);
  GENAI_CHECK(again && files_value(*again) == files_value(*files));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  if (const auto info = decode_map(raw)) {
    check_files(*info, claimed_bytes(*info));
    check_files(*info, size);
  }
  if (!file_name_problem(raw)) check_path(std::string(raw));
  const std::string_view type = guess_type({}, raw);
  GENAI_CHECK(!type.empty());
  GENAI_CHECK(type == kUnknownType || !suffix_of_type(type).empty());
  return 0;
}
