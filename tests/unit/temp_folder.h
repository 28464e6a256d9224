// A folder of the test's own, removed at its end.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace genai::test {

struct TempFolder {
  TempFolder() {
    path = (std::filesystem::temp_directory_path() / "genai-test-XXXXXX").string();
    if (!mkdtemp(path.data())) throw std::system_error(errno, std::generic_category(), path);
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  /// The path of something in it.
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  /// A file in it with that text; its path.
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name) << text;
    return *this / name;
  }

  std::string path;
};

}  // namespace genai::test
