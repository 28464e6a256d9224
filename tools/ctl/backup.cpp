// genai-ctl backup
#include "dispatcher/store/backup.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "protocol/runtime/escape.h"
#include "tools/ctl/json.h"
#include "tools/ctl/session.h"

namespace genai::ctl {

int run_backup(const Options& options) {
  dispatcher::store::Options store;
  store.data_dir = options.data_dir;
  const auto summary = dispatcher::store::back_up(store, options.file, options.force);
  if (options.json)
    print({{"file", options.file},
           {"tasks", summary.tasks},
           {"bytes", summary.bytes},
           {"folder", summary.folder},
           {"large", summary.large},
           {"large_bytes", summary.large_bytes}});
  else
    fmt::print("{}: {} tasks, {} bytes\n", runtime::escaped(options.file), summary.tasks,
               summary.bytes);
  if (!options.json && !summary.folder.empty())
    fmt::print("{}: {} payloads and results of these, {} bytes\n", runtime::escaped(summary.folder),
               summary.large, summary.large_bytes);
  return runtime::kExitOk;
}

}  // namespace genai::ctl
