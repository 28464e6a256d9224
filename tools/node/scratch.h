// The folder of one execution, and what is left of it when nobody could tidy up.
#pragma once

#include <cstddef>
#include <string>

#include "protocol/base/descriptor.h"

namespace genai::node {

/// A private folder below $TMPDIR (or /tmp), gone with all that is in it. As long as somebody holds
/// its lock, its owner lives.
class Scratch {
 public:
  /// Throws std::system_error when it cannot be made, or when there is no room to write in it.
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string result_file() const { return path_ + "/result"; }
  /// An empty folder for the files of the result.
  std::string result_folder() const { return path_ + "/files"; }
  int lock_fd() const { return lock_.get(); }

 private:
  void make();

  std::string path_;
  Descriptor lock_;
};

/// Kills the programs that were started with this folder's $GENAI_RESULT_FILE.
void end_programs_of(const std::string& scratch_path);

/// Removes the folders of owners that have died (kill -9 of node and supervisor), of this user
/// alone, and ends the programs that still run with such a folder's $GENAI_RESULT_FILE. Returns how
/// many folders. Never throws for what cannot be removed.
std::size_t sweep_scratch();

}  // namespace genai::node
