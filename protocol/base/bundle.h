// The files of a result. One result is one piece of data; the key `files` of its info cuts the data
// into named files. SPEC.md, "Bundles", has the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/errors.h"
#include "protocol/base/value.h"

namespace genai {

inline constexpr std::size_t kMaxBundleFiles = 256;
inline constexpr std::size_t kMaxBundleNameBytes = 255;
inline constexpr std::size_t kMaxBundleNameParts = 8;  // "a/b.png" has two

/// The key of a result's info.
inline constexpr std::string_view kFilesKey = "files";

/// One file, as the list describes it.
struct BundleFile {
  std::string name;          // see file_name_problem()
  std::string content_type;  // MIME type of at most 128 bytes; empty: not said
  std::uint64_t bytes = 0;
  ValueMap metadata = {};   // all other keys: seed, width, height, ...
  std::uint64_t begin = 0;  // where the file begins in the data of the result; read_files() sets it
};
using BundleFiles = std::vector<BundleFile>;

/// Returns what is wrong with the name of a file, or nothing.
std::optional<std::string> file_name_problem(std::string_view name);
/// Returns the first rule that the files break together or alone, or nothing. No file breaks none.
std::optional<std::string> files_problem(const BundleFiles& files);

/// Reads the files that the info of a result lists. Returns no file if it lists none. kBadField:
/// the list breaks a rule, or does not describe data of `data_bytes` bytes. Then the data is one
/// blob without a name.
Expected<BundleFiles> read_files(const ValueMap& info, std::uint64_t data_bytes);
/// Makes the list for the info. Keys of the metadata that are names of members are left out.
Value files_value(const BundleFiles& files);

/// Returns the file with exactly this name, or null.
const BundleFile* find_file(const BundleFiles& files, std::string_view name);
/// Returns the bytes of the file within the data that `files` was read for.
std::string_view slice(std::string_view data, const BundleFile& file);

}  // namespace genai
