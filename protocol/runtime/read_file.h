// Reads a file that a user named: it may be a directory, endless, or a pipe that nobody writes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <tl/expected.hpp>

namespace genai::runtime {

/// Returns the whole content, if it has at most so many bytes. It waits for a pipe (such as bash's
/// <(command)) or a device, but not longer than `limit`. The error is the reason alone.
tl::expected<std::string, std::string> read_file(
    const std::string& path, std::size_t max_bytes,
    std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace genai::runtime
