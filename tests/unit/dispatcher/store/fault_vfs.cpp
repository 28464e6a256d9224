#include "tests/unit/dispatcher/store/fault_vfs.h"

#include <cstring>
#include <filesystem>
#include <map>
#include <new>
#include <optional>

namespace genai::dispatcher::store {
namespace {

struct Plan {
  FaultVfs::Operation operation;
  int left;
  int code;
  bool half;
};

// SQLite calls plain functions, so the state is the file's own.
std::optional<Plan> plan;
bool met = false, abandoned = false, watching = false;
std::string blocker;
std::map<std::string, std::string> synced;  // path -> content

struct File {
  sqlite3_file base;
  std::string* path;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
const sqlite3_io_methods* methods_of(sqlite3_file* file) { return of(file)->real()->pMethods; }

int fault(FaultVfs::Operation operation) {
  if (abandoned) return SQLITE_IOERR;
  if (!blocker.empty() && operation == FaultVfs::Operation::kWrite &&
      std::filesystem::exists(blocker))
    return SQLITE_FULL;
  if (!plan || plan->operation != operation) return SQLITE_OK;
  if (plan->left > 1) {
    --plan->left;
    return SQLITE_OK;
  }
  met = true;
  return plan->code;
}

std::string content_of(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  methods_of(file)->xFileSize(of(file)->real(), &size);
  std::string content(static_cast<std::size_t>(size), '\0');
  if (size > 0)
    methods_of(file)->xRead(of(file)->real(), content.data(), static_cast<int>(size), 0);
  return content;
}

int close(sqlite3_file* file) {
  const int code = methods_of(file)->xClose(of(file)->real());
  delete of(file)->path;
  return code;
}
int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return methods_of(file)->xRead(of(file)->real(), to, size, at);
}
int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  if (const int code = fault(FaultVfs::Operation::kWrite)) {
    if (!abandoned && plan->half) methods_of(file)->xWrite(of(file)->real(), from, size / 2, at);
    return code;
  }
  return methods_of(file)->xWrite(of(file)->real(), from, size, at);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (abandoned) return SQLITE_IOERR;
  return methods_of(file)->xTruncate(of(file)->real(), size);
}
int sync(sqlite3_file* file, int flags) {
  if (const int code = fault(FaultVfs::Operation::kSync)) return code;
  if (watching) synced[*of(file)->path] = content_of(file);
  return methods_of(file)->xSync(of(file)->real(), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return methods_of(file)->xFileSize(of(file)->real(), size);
}
int lock(sqlite3_file* file, int level) { return methods_of(file)->xLock(of(file)->real(), level); }
int unlock(sqlite3_file* file, int level) {
  return methods_of(file)->xUnlock(of(file)->real(), level);
}
int check_reserved(sqlite3_file* file, int* out) {
  return methods_of(file)->xCheckReservedLock(of(file)->real(), out);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return methods_of(file)->xFileControl(of(file)->real(), operation, argument);
}
int sector_size(sqlite3_file* file) { return methods_of(file)->xSectorSize(of(file)->real()); }
int characteristics(sqlite3_file* file) {
  return methods_of(file)->xDeviceCharacteristics(of(file)->real());
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return methods_of(file)->xShmMap(of(file)->real(), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return methods_of(file)->xShmLock(of(file)->real(), offset, n, flags);
}
void shm_barrier(sqlite3_file* file) { methods_of(file)->xShmBarrier(of(file)->real()); }
int shm_unmap(sqlite3_file* file, int remove) {
  return methods_of(file)->xShmUnmap(of(file)->real(), remove);
}

const sqlite3_io_methods kMethods = {2,
                                     close,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved,
                                     control,
                                     sector_size,
                                     characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs faults{};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  File* wrapped = of(file);
  wrapped->base.pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, wrapped->real(), flags, out);
  if (wrapped->real()->pMethods) {
    wrapped->base.pMethods = &kMethods;
    wrapped->path = new std::string(name ? name : "");
  }
  return code;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  if (abandoned) return SQLITE_IOERR;
  synced.erase(name);  // SQLite syncs the folder where that matters
  return real_vfs->xDelete(real_vfs, name, sync_folder);
}

}  // namespace

FaultVfs::FaultVfs() {
  heal();
  abandoned = watching = false;
  synced.clear();
  real_vfs = sqlite3_vfs_find(nullptr);
  faults = *real_vfs;
  faults.zName = "faults";
  faults.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  faults.xOpen = open;
  faults.xDelete = remove;
  sqlite3_vfs_register(&faults, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&faults); }

void FaultVfs::fail(Operation operation, int n, int code, bool half) {
  plan = Plan{operation, n, code, half};
  met = false;
}
void FaultVfs::heal() {
  plan.reset();
  blocker.clear();
  met = false;
}
void FaultVfs::fail_while_exists(const std::string& path) { blocker = path; }
bool FaultVfs::was_met() const { return met; }
void FaultVfs::watch_syncs() { watching = true; }
void FaultVfs::abandon() { abandoned = true; }

void FaultVfs::lose_power() {
  for (const auto& [path, content] : synced) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
    std::filesystem::remove(path + "-shm");
  }
  abandoned = false;
}

}  // namespace genai::dispatcher::store
