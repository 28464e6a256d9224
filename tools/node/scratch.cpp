#include "tools/node/scratch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <thread>

#include "tools/node/processes.h"

namespace genai::node {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "genai-task-";
constexpr std::size_t kRandomChars = 6;  // of mkdtemp
constexpr std::size_t kProbeBytes = 64u << 10;
constexpr int kMaxKillRounds = 200;  // of 10 ms

std::string base_folder() {
  const char* base = std::getenv("TMPDIR");
  return base && *base ? base : "/tmp";
}

[[noreturn]] void refuse(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

bool is_same_file(int fd, const std::string& path) {
  struct stat open_one {
  }, named{};
  return fstat(fd, &open_one) == 0 && lstat(path.c_str(), &named) == 0 &&
         open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/// On a full disk a folder can be made all the same, and every program would fail in it.
void require_room(const std::string& folder) {
  const std::string path = folder + "/probe";
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) refuse(errno, "cannot write in " + folder);
  const std::string bytes(kProbeBytes, '\0');
  const ssize_t written = write(file.get(), bytes.data(), bytes.size());
  const int error = written < 0 ? errno : ENOSPC;
  unlink(path.c_str());
  if (written != static_cast<ssize_t>(bytes.size())) refuse(error, "cannot write in " + folder);
}

/// The folder's lock if its owner has died. Only for a folder of this user.
Descriptor lock_abandoned(const std::string& path) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (folder.get() < 0 || fstat(folder.get(), &info) != 0 || info.st_uid != geteuid() ||
      flock(folder.get(), LOCK_EX | LOCK_NB) != 0)
    return {};
  return folder;
}

/// Lets us remove what is in the folder: a command may leave folders that it has closed to itself.
void open_up(const fs::path& folder) {
  std::error_code error;
  fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add | fs::perm_options::nofollow,
                  error);
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->symlink_status(error).type() == fs::file_type::directory) open_up(it->path());
}

/// False if something stays.
bool remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return true;
  open_up(path);
  fs::remove_all(path, error);
  return !error;
}

/// Whether the process was started with `variable` ("NAME=value").
bool has_variable(pid_t pid, const std::string& variable) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  const std::string all =
      '\0' + std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return all.find('\0' + variable + '\0') != std::string::npos;
}

}  // namespace

Scratch::Scratch() {
  make();
  try {
    require_room(path_);
    if (mkdir(result_folder().c_str(), 0700) != 0)
      refuse(errno, "cannot make a folder in " + path_);
  } catch (...) {
    rmdir(path_.c_str());
    throw;
  }
}

void Scratch::make() {
  for (;;) {
    const std::string base = base_folder();
    path_ = base + "/" + kPrefix + std::string(kRandomChars, 'X');
    if (!mkdtemp(path_.data())) refuse(errno, "cannot make a folder in " + base);
    lock_ = Descriptor(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (lock_.get() < 0) {
      const int error = errno;
      rmdir(path_.c_str());
      refuse(error, "cannot open " + path_);
    }
    // Another node, which starts now, may sweep the folder before it is locked. A file system
    // without locks is good enough: then nothing is ever swept there.
    const bool taken = flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && is_same_file(lock_.get(), path_)) return;
  }
}

Scratch::~Scratch() { remove_tree(path_); }

void end_programs_of(const std::string& scratch_path) {
  const std::string mark = "GENAI_RESULT_FILE=" + scratch_path + "/result";
  for (int round = 0; round < kMaxKillRounds; ++round) {
    bool found = false;
    Processes all;
    for (Processes::Entry entry; all.next(entry);) {
      if (entry.is_zombie || entry.pid == getpid() || !has_variable(entry.pid, mark)) continue;
      found = true;
      kill(entry.pid, SIGKILL);
    }
    if (!found) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::size_t sweep_scratch() {
  std::size_t swept = 0;
  std::error_code error;
  for (fs::directory_iterator it(base_folder(), error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    if (!name.starts_with(kPrefix) || name.size() != sizeof kPrefix - 1 + kRandomChars) continue;
    const Descriptor lock = lock_abandoned(it->path());
    if (lock.get() < 0) continue;
    end_programs_of(it->path());
    if (remove_tree(it->path())) ++swept;
  }
  return swept;
}

}  // namespace genai::node
