// The daemons under measurement, as child processes in a folder of their own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace genai::bench {

/// A temporary folder, removed with everything in it.
class Folder {
 public:
  /// Below `parent`, or below the system's folder for temporary files when that is empty.
  explicit Folder(const std::string& parent);
  ~Folder();
  Folder(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What a process has used so far.
struct Usage {
  double cpu_us = 0;
  double rss_mib = 0;
};
Usage usage_of(pid_t pid);

/// One daemon. It is killed with this object, and also when this process dies.
class Child {
 public:
  /// `program` stands in the folder of this executable; its log goes to `log`. Throws
  /// std::system_error.
  Child(const std::string& program, const std::vector<std::string>& arguments,
        const std::string& log);
  ~Child();
  Child(const Child&) = delete;

  Usage usage() const { return usage_of(pid_); }
  /// Throws std::runtime_error with the last line of its log when it has ended. Any thread.
  void check() const;
  /// What it is doing, for people: whether it runs or in which call of the kernel it waits, what it
  /// has used in the last moment, and the last line of its log. Takes that moment.
  std::string activity() const;
  /// Lines of its log with `text` in them.
  std::size_t logged(std::string_view text) const;

 private:
  std::string last_line() const;

  const std::string program_, log_;
  pid_t pid_ = -1;
};

}  // namespace genai::bench
