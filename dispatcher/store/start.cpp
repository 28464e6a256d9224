#include "dispatcher/store/start.h"

#include <sysexits.h>

#include <algorithm>
#include <iterator>

#include "dispatcher/store/memory/memory_store.h"
#include "dispatcher/store/sqlite/sqlite_store.h"
#include "protocol/base/check.h"

namespace genai::dispatcher::store {
namespace {

using Opened = Result<std::unique_ptr<Store>>;

Opened open_memory(const Options&) { return std::make_unique<MemoryStore>(); }

Opened open_sqlite(const Options& options) {
  return SqliteStore::open({.data_dir = options.data_dir,
                            .reserve_bytes = options.reserve_bytes,
                            .min_free_bytes = options.min_free_bytes,
                            .vfs = {}});
}

/// Every kind of store. backup.cpp says how each is copied.
constexpr struct {
  const char* kind;
  Opened (*open)(const Options& options);
} kRegistry[] = {
    {"sqlite", open_sqlite},
    {"memory", open_memory},
};

}  // namespace

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const auto& entry : kRegistry) names.emplace_back(entry.kind);
  return names;
}

Result<Start> start(const Options& options, std::string_view owner, std::uint64_t wall_ms) {
  const auto* entry = std::ranges::find_if(
      kRegistry, [&](const auto& known) { return options.kind == known.kind; });
  GENAI_CHECK(entry != std::end(kRegistry));  // checked with the options
  auto store = entry->open(options);
  if (!store) return tl::unexpected(store.error());
  auto lease = (*store)->acquire(owner, wall_ms);
  if (!lease) return tl::unexpected(lease.error());
  return Start{std::move(*store), *lease};
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
    case Failure::kFenced:
      return EX_NOPERM;
    case Failure::kFull:
    case Failure::kLocked:
    case Failure::kIo:
      break;
  }
  return EX_IOERR;
}

}  // namespace genai::dispatcher::store
