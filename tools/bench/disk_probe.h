// How fast the disk is by itself: every durable figure is read against this one.
#pragma once

#include <string>

#include "tools/bench/latencies.h"

namespace genai::bench {

/// Appends 4 KiB and fdatasync, `count` times, to a file made in `folder` and removed. Throws
/// std::system_error.
Latencies probe_disk(const std::string& folder, int count = 500);

}  // namespace genai::bench
