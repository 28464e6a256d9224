// Opens the store that is asked for and takes over what it holds.
#pragma once

#include <memory>
#include <string>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

struct Options {
  std::string kind = "sqlite";  // or "memory"
  std::string data_dir;
  std::uint64_t reserve_bytes = 64u << 20;
  std::uint64_t min_free_bytes = 256u << 20;
};

/// What a dispatcher starts from.
struct Start {
  std::unique_ptr<Store> store;
  std::uint64_t epoch = 0;  // greater than that of any dispatcher before; on the disk already
  Loaded loaded;
};

/// The epoch grows with the store and with wall time, so also when a backup was restored.
Result<Start> start(const Options& options, std::uint64_t wall_ms);

/// The exit code that tells a supervisor why (sysexits.h).
int exit_code(Failure failure);

}  // namespace genai::dispatcher::store
