#include "dispatcher/store/backup.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "dispatcher/store/sqlite/backup.h"

namespace genai::dispatcher::store {
namespace {

BackupSummary back_up_memory(const Options&, const std::string&, bool) {
  throw std::runtime_error("a memory store keeps nothing that could be copied");
}

/// Every kind of store, as in start.cpp.
constexpr struct {
  const char* kind;
  BackupSummary (*back_up)(const Options& options, const std::string& file, bool force);
} kRegistry[] = {
    {"sqlite", back_up_sqlite},
    {"memory", back_up_memory},
};

}  // namespace

BackupSummary back_up(const Options& options, const std::string& file, bool force) {
  const auto* entry = std::ranges::find_if(
      kRegistry, [&](const auto& known) { return options.kind == known.kind; });
  if (entry == std::end(kRegistry))
    throw std::runtime_error("no store of kind '" + options.kind + "' is known");
  return entry->back_up(options, file, force);
}

}  // namespace genai::dispatcher::store
