#include "tools/ctl/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace genai::ctl {

bool can_redraw(int fd) {
  const char* term = std::getenv("TERM");
  const std::string_view name = term ? term : "";
  return isatty(fd) == 1 && !name.empty() && name != "dumb";
}

}  // namespace genai::ctl
