// Reads a file that somebody named: it may be a directory, endless, or a pipe that nobody feeds.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <tl/expected.hpp>

namespace genai::runtime {

/// The whole content, of at most that many bytes. A pipe (such as bash's <(command)) or a device is
/// waited for, but not longer than `limit`. The error is the reason alone.
tl::expected<std::string, std::string> read_file(
    const std::string& path, std::size_t max_bytes,
    std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace genai::runtime
