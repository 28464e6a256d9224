#include "protocol/runtime/state_dir.h"

#include <unistd.h>

#include <cstdlib>

namespace genai::runtime {

std::string default_state_dir(std::string_view program) {
  const std::string name(program);
  if (geteuid() == 0) return "/var/lib/" + name;
  // The specification: a path that is not absolute counts as not set.
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/')
    return std::string(state) + "/" + name;
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.local/state/" + name;
  return "./" + name;
}

}  // namespace genai::runtime
