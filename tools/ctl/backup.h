// A copy of the dispatcher's store, made while the dispatcher runs or not.
#pragma once

#include <cstdint>
#include <string>

namespace genai::ctl {

struct BackupSummary {
  std::uint64_t tasks = 0, bytes = 0;  // in the copy
};

/// Copies DATA_DIR/tasks.db, as it is at one moment, to `file`: one file of mode 0600 that needs no
/// other beside it. It appears under its name when it is whole, checked and on the disk. What
/// exists already is refused, or replaced with `force`; the store itself never is.
/// std::runtime_error says what went wrong, and then nothing is left behind.
BackupSummary back_up(const std::string& data_dir, const std::string& file, bool force);

}  // namespace genai::ctl
