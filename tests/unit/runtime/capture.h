// What a piece of code writes to the process's standard error descriptor.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include "protocol/runtime/logging.h"

/// Points descriptor 2 at a temporary file, or at `fd` when one is given, for its lifetime.
class StderrCapture {
 public:
  explicit StderrCapture(int fd = -1) : saved_(dup(STDERR_FILENO)), file_(std::tmpfile()) {
    flush();
    dup2(fd >= 0 ? fd : fileno(file_), STDERR_FILENO);
  }
  ~StderrCapture() {
    flush();
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    std::fclose(file_);
  }
  StderrCapture(const StderrCapture&) = delete;
  StderrCapture& operator=(const StderrCapture&) = delete;

  /// All of it, up to 64 KiB.
  std::string text() const { return read(1 << 16); }
  /// All of it, up to 4 MiB.
  std::string whole() const { return read(4 << 20); }
  std::ptrdiff_t lines() const { return std::ranges::count(whole(), '\n'); }

 private:
  static void flush() { genai::runtime::flush_log(std::chrono::seconds(60)); }
  std::string read(std::size_t most) const {
    flush();
    std::string out(most, '\0');
    const ssize_t bytes = pread(fileno(file_), out.data(), out.size(), 0);
    out.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return out;
  }

  int saved_;
  std::FILE* file_;
};
