// The default folder for the state of a daemon.
#pragma once

#include <string>
#include <string_view>

namespace genai::runtime {

/// Returns /var/lib/PROGRAM for root, else PROGRAM below $XDG_STATE_HOME or ~/.local/state (XDG
/// Base Directory Specification), or in the working directory if neither is known. Reads the
/// environment, makes no folder.
std::string default_state_dir(std::string_view program);

}  // namespace genai::runtime
