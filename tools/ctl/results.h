// Where results are kept: the folder of --out, or standard output.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "genai/client.h"

namespace genai::ctl {

/// Where a result was put.
struct Written {
  std::string path;                // of its file, or of the folder with its files
  std::vector<std::string> files;  // the path of each of its files, in their order
};

/// The path, and how many files are in it if it is a folder.
std::string text_of(const Written& written);

/// A folder of files and folders with the names of tasks.
class ResultFolder {
 public:
  /// Makes the folder. `suffix`: of single files; empty: each gets the one that belongs to it.
  /// `overwrite`: replace files that exist. InputError when the folder cannot be made or the suffix
  /// cannot end a file name.
  ResultFolder(const std::string& folder, std::string suffix, bool overwrite = false);

  /// InputError when no file can have this task's name ("..", with an empty suffix).
  void check(const std::string& task_id) const;
  /// Writes a single file as <task id><suffix>, and several files as <task id>/<name>, with safe
  /// names. A file appears under its name only when it is whole and on the disk. A file that exists
  /// with the same bytes is left as it is. One with other bytes is replaced if `overwrite` or, for
  /// a single file, a suffix was given; else the new one gets another name. A link is replaced, and
  /// not followed. std::runtime_error says what could not be written; some of several files may be
  /// written then.
  Written write(const client::TaskResult& result) const;

 private:
  enum class Taken { kReplace, kNumber };
  std::string write_file(const std::string& name, std::string_view data, Taken taken) const;
  void make_folders_of(const std::string& name) const;

  std::filesystem::path folder_;
  std::string suffix_;
  bool overwrite_;
};

/// Writes the data of a single result, which is one file, to standard output. Whether it is kept
/// there: by a file, which is synced, or by whoever reads a pipe. A terminal keeps nothing; it
/// shows what is a short text. std::runtime_error says what could not be written.
bool write_to_stdout(const client::TaskResult& result);

}  // namespace genai::ctl
