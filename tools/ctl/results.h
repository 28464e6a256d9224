// Where results are kept: the folder of --out, or standard output.
#pragma once

#include <filesystem>
#include <string>

#include "genai/client.h"

namespace genai::ctl {

/// A folder of files <task id><suffix>.
class ResultFolder {
 public:
  /// Makes the folder. InputError when that fails or the suffix cannot end a file name.
  ResultFolder(const std::string& folder, std::string suffix);

  /// InputError when no file can have this task's name ("..", with an empty suffix).
  void check(const std::string& task_id) const;
  /// Writes the data and returns the path. The file appears under its name only when it is whole
  /// and on the disk. std::runtime_error says what could not be written.
  std::string write(const client::TaskResult& result) const;

 private:
  std::filesystem::path folder_;
  std::string suffix_;
};

/// Writes the data of a single result to standard output. Whether it is kept there: by a file,
/// which is synced, or by whoever reads a pipe. A terminal keeps nothing; it shows what is a short
/// text. std::runtime_error says what could not be written.
bool write_to_stdout(const client::TaskResult& result);

}  // namespace genai::ctl
