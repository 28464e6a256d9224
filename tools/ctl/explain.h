// Why a task waits, or where it went and why there, in words.
#pragma once

#include <string>
#include <vector>

#include "genai/client.h"

namespace genai::ctl {

/// Lines for people; whatever a peer wrote is escaped.
std::vector<std::string> explanation(const client::TaskInfo& task);

/// "expected in 12.3 s, within 40.0 s with 95 %".
std::string expectation(std::uint64_t p50_ms, std::uint64_t p95_ms);

/// One sentence about all of those that were accepted and are not expected to end in time; empty
/// when there are none.
std::string late_warning(const std::vector<client::Verdict>& verdicts);

}  // namespace genai::ctl
