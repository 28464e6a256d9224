// What a piece of code writes to the process's standard error descriptor.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

/// Points descriptor 2 at a temporary file, or at `fd` when one is given, for its lifetime.
class StderrCapture {
 public:
  explicit StderrCapture(int fd = -1) : saved_(dup(STDERR_FILENO)), file_(std::tmpfile()) {
    dup2(fd >= 0 ? fd : fileno(file_), STDERR_FILENO);
  }
  ~StderrCapture() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    std::fclose(file_);
  }
  StderrCapture(const StderrCapture&) = delete;
  StderrCapture& operator=(const StderrCapture&) = delete;

  std::string text() const {
    std::string out(1 << 16, '\0');
    const ssize_t bytes = pread(fileno(file_), out.data(), out.size(), 0);
    out.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return out;
  }

 private:
  int saved_;
  std::FILE* file_;
};
