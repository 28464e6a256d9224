// A file that gets its name only when it is complete and on the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace genai::runtime {

/// Writes all of it to `fd`. Throws std::system_error if that fails.
void write_all(int fd, std::string_view bytes);

/// Syncs what the folder lists. False, with errno, if that fails.
bool sync_folder(const std::string& folder);

/// The file while it is written, in the folder of its target. Its name is random (FILE.HEX.part)
/// and new: a link with that name is neither followed nor replaced. Every call may throw
/// std::runtime_error with the target's path and the reason.
class Draft {
 public:
  /// Makes an empty file, with the rights of `mode` without those of the umask.
  Draft(const std::string& target, mode_t mode);
  /// Removes the file, unless it was published.
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const std::string& path() const { return path_; }
  void write(std::string_view bytes);
  /// Syncs the file, gives it the target's name (and replaces a file with that name), and syncs the
  /// folder. After that it survives a crash of the machine.
  void publish();
  /// The same, but never replaces anything. Returns false if something has the target's name; then
  /// the file is still a draft.
  bool publish_new();

 private:
  [[noreturn]] void fail(int error) const;
  void finish();

  const std::string target_, folder_;
  std::string path_;
  int fd_ = -1;
  bool published_ = false;
};

}  // namespace genai::runtime
