// Where a daemon keeps its state unless told otherwise.
#pragma once

#include <string>
#include <string_view>

namespace genai::runtime {

/// /var/lib/PROGRAM for root; else PROGRAM below $XDG_STATE_HOME or ~/.local/state (XDG Base
/// Directory Specification), or in the working directory when neither is known. Reads the
/// environment; makes nothing.
std::string default_state_dir(std::string_view program);

}  // namespace genai::runtime
