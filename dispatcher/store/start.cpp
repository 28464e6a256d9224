#include "dispatcher/store/start.h"

#include <sysexits.h>

#include <algorithm>

#include "dispatcher/store/memory/memory_store.h"
#include "dispatcher/store/sqlite/sqlite_store.h"

namespace genai::dispatcher::store {
namespace {

Result<std::unique_ptr<Store>> open(const Options& options) {
  if (options.kind == "memory") return std::make_unique<MemoryStore>();
  return SqliteStore::open({.data_dir = options.data_dir,
                            .reserve_bytes = options.reserve_bytes,
                            .min_free_bytes = options.min_free_bytes,
                            .vfs = {}});
}

}  // namespace

Result<Start> start(const Options& options, std::uint64_t wall_ms) {
  auto store = open(options);
  if (!store) return tl::unexpected(store.error());
  auto loaded = (*store)->load();
  if (!loaded) return tl::unexpected(loaded.error());
  const std::uint64_t epoch = std::max(loaded->last_epoch + 1, wall_ms);
  if (auto kept = (*store)->begin_epoch(epoch); !kept) return tl::unexpected(kept.error());
  return Start{std::move(*store), epoch, std::move(*loaded)};
}

int exit_code(Failure failure) {
  switch (failure) {
    case Failure::kDamaged:
      return EX_DATAERR;
    case Failure::kNotWritable:
      return EX_CANTCREAT;
    case Failure::kInUse:
      return EX_TEMPFAIL;
    case Failure::kNewer:
      return EX_PROTOCOL;
    case Failure::kFull:
    case Failure::kLocked:
    case Failure::kIo:
      break;
  }
  return EX_IOERR;
}

}  // namespace genai::dispatcher::store
