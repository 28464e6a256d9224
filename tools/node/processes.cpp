#include "tools/node/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstring>

namespace genai::node {
namespace {

/// Reads a number and moves behind it; 0 when there is none.
pid_t number_at(const char*& text) {
  pid_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) number = number * 10 + (*text - '0');
  return number;
}

}  // namespace

Processes::Processes() noexcept : proc_(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

Processes::~Processes() {
  if (proc_ >= 0) close(proc_);
}

bool Processes::next(Entry& entry) noexcept {
  if (proc_ < 0) return false;
  for (;;) {
    if (at_ == filled_) {
      const ssize_t got = getdents64(proc_, names_, sizeof names_);
      if (got <= 0) return false;
      filled_ = static_cast<std::size_t>(got);
      at_ = 0;
    }
    const char* found = names_ + at_;
    unsigned short length = 0;
    memcpy(&length, found + offsetof(dirent64, d_reclen), sizeof length);
    at_ += length;
    if (read_stat(found + offsetof(dirent64, d_name), entry)) return true;
  }
}

/// "PID (NAME) STATE PARENT ..."; the name may hold anything, blanks and parentheses too.
bool Processes::read_stat(const char* name, Entry& entry) noexcept {
  const char* rest = name;
  entry.pid = number_at(rest);
  if (entry.pid == 0 || *rest != '\0') return false;
  char path[32] = {};
  strncpy(path, name, sizeof path - sizeof "/stat");
  strcat(path, "/stat");
  const int file = openat(proc_, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;  // it has ended
  char text[256];
  const ssize_t got = read(file, text, sizeof text - 1);
  close(file);
  if (got <= 0) return false;
  text[got] = '\0';
  const char* after_name = strrchr(text, ')');
  if (!after_name || strlen(after_name) < sizeof ") S 1" - 1) return false;
  entry.is_zombie = after_name[2] == 'Z' || after_name[2] == 'X';
  const char* parent = after_name + 4;
  entry.parent = number_at(parent);
  return true;
}

}  // namespace genai::node
