// A copy of a store, made while a dispatcher uses it or not. Of the parts of the dispatcher this is
// the one that tools may use: it needs none of the others.
#pragma once

#include <cstdint>
#include <string>

#include "dispatcher/store/options.h"

namespace genai::dispatcher::store {

struct BackupSummary {
  std::uint64_t tasks = 0, bytes = 0;        // in the copy
  std::uint64_t large = 0, large_bytes = 0;  // of these, payloads and results in `folder`
  std::string folder;                        // beside the file; empty: there is no large data
};

/// Copies the store that `options` name, as it is at one moment, to `file`, which appears under its
/// name when it is whole, checked and on the disk. Large payloads and results come to lie in the
/// folder `file`.segments beside it. A file that exists is refused, or replaced with
/// `force`; the store itself never is. Takes no lease: the dispatcher that has it goes on.
/// std::runtime_error says what went wrong, and then nothing is left behind.
BackupSummary back_up(const Options& options, const std::string& file, bool force);

}  // namespace genai::dispatcher::store
