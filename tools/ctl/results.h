// Where --out puts results.
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
  /// Writes the data and returns the path. The file appears under its name only when it is whole.
  /// std::runtime_error says what could not be written.
  std::string write(const client::TaskResult& result) const;

 private:
  std::filesystem::path folder_;
  std::string suffix_;
};

}  // namespace genai::ctl
