// Opens the store that is asked for and takes its lease.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/store/options.h"
#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// What there is to choose from.
std::vector<std::string> kinds();

/// What a dispatcher starts from: everything else is to be loaded.
struct Start {
  std::unique_ptr<Store> store;
  Lease lease;
};

/// The epoch grows with the store and with wall time, so also when a backup was restored.
/// `owner`: who this process is, for people.
Result<Start> start(const Options& options, std::string_view owner, std::uint64_t wall_ms);

/// The exit code that tells a supervisor why (sysexits.h).
int exit_code(Failure failure);

}  // namespace genai::dispatcher::store
