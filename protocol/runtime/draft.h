// A file that appears under its name only when it is whole and on the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace genai::runtime {

/// Writes to `fd` until all of it is written. std::system_error says why not.
void write_all(int fd, std::string_view bytes);

/// The file while it is made, beside where it will be. Its own name is random (FILE.HEX.part) and
/// was nobody's before: a link that somebody has planted there is neither followed nor replaced.
/// Every call throws std::runtime_error with the target's path and the reason.
class Draft {
 public:
  /// Makes it, empty, with the rights of `mode` less those of the umask.
  Draft(const std::string& target, mode_t mode);
  /// Removes it, unless it was published.
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const std::string& path() const { return path_; }
  void write(std::string_view bytes);
  /// Syncs it, gives it the target's name, in the place of whatever has that name, and syncs the
  /// folder. After that it survives a crash of the machine.
  void publish();

 private:
  [[noreturn]] void fail(int error) const;

  const std::string target_, folder_;
  std::string path_;
  int fd_ = -1;
  bool published_ = false;
};

}  // namespace genai::runtime
